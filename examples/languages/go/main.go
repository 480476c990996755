// A greeting in Go, by AWS's own runtime client.
package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type Event struct {
	Name string `json:"name"`
}

type Greeting struct {
	Message  string `json:"message"`
	Function string `json:"function"`
	Request  string `json:"request"`
}

func greet(ctx context.Context, event Event) (Greeting, error) {
	if event.Name == "" {
		return Greeting{}, errors.New("nobody to greet")
	}
	fmt.Println("greeting", event.Name)
	call, _ := lambdacontext.FromContext(ctx)
	return Greeting{"Hello " + event.Name, lambdacontext.FunctionName, call.AwsRequestID}, nil
}

func main() {
	lambda.Start(greet)
}
