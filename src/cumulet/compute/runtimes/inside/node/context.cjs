// The context object that handlers get.
// https://docs.aws.amazon.com/lambda/latest/dg/nodejs-context.html
'use strict';

/** One invocation, and the function it is for; `endings` holds done, fail and succeed where the version has them. */
function makeContext(header, endings) {
  const environment = process.env;
  return Object.assign(endings, {
    functionVersion: environment.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: environment.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: environment.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: environment.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: environment.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: header.client_context ?? undefined,
    identity: header.identity ?? undefined,
    invokedFunctionArn: header.function_arn,
    tenantId: header.tenant_id || undefined,
    awsRequestId: header.request_id,
    getRemainingTimeInMillis: () => header.deadline_ms - Date.now(),
  });
}

module.exports = { makeContext };
