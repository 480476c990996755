"""Executions whose tasks answer what a file says instead of doing anything: AWS's mock configuration of Step Functions Local.

https://docs.aws.amazon.com/step-functions/latest/dg/sfn-local-mock-cfg-file.html
"""
