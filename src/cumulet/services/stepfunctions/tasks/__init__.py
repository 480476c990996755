"""What Task states have done: functions, activities, and other services' operations, as the machine's role.

`resources` tells what a Resource names, `work` has it done; `activities` are operations.
"""
