//! A greeting in Rust, by AWS's own runtime client.

use lambda_runtime::{run, service_fn, Error, LambdaEvent};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    name: String,
}

#[derive(Serialize)]
struct Greeting {
    message: String,
    function: String,
    request: String,
}

async fn greet(event: LambdaEvent<Event>) -> Result<Greeting, Error> {
    let (event, context) = event.into_parts();
    if event.name.is_empty() {
        return Err("nobody to greet".into());
    }
    println!("greeting {}", event.name);
    Ok(Greeting {
        message: format!("Hello {}", event.name),
        function: context.env_config.function_name.clone(),
        request: context.request_id,
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(greet)).await
}
