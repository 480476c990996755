"""The data plane of REST APIs: `front` takes requests, `program` is what a deployed stage was compiled to, `steps` the way of each."""
