"""JSONata as AWS has it: evaluated by a library, bounded in time and memory. https://docs.jsonata.org/overview.html"""
