"""Function URLs: addresses at which functions answer HTTP themselves.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-urls.html
"""
