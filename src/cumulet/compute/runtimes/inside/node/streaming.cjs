// Handlers that write their response: `awslambda.streamifyResponse`. What they write is sent when they end.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html
'use strict';

const { Writable } = require('stream');
const { runtimeError } = require('./errors.cjs');
const { KIND } = require('./frames.cjs');

const MARK = Symbol.for('aws.lambda.runtime.handler.streaming');
const BETWEEN_METADATA_AND_BODY = '\0'.repeat(8);

class Response extends Writable {
  constructor() {
    super();
    this.parts = [];
  }

  setContentType(type) {
    this.contentType = type;
  }

  _write(part, encoding, done) {
    this.parts.push(Buffer.isBuffer(part) ? part : Buffer.from(part, encoding));
    done();
  }
}

const global_ = {
  streamifyResponse(handler) {
    handler[MARK] = 'response';
    return handler;
  },
  HttpResponseStream: {
    /** Prefix a stream with a response's status and headers. */
    from(stream, metadata) {
      stream.setContentType('application/vnd.awslambda.http-integration-response');
      stream.write(JSON.stringify(metadata) + BETWEEN_METADATA_AND_BODY);
      return stream;
    },
  },
};

function isStreaming(handler) {
  return handler[MARK] === 'response';
}

async function run(invocation, handler, input, context) {
  const response = new Response();
  try {
    const pending = handler(input, response, context);
    if (typeof pending?.then !== 'function') {
      throw runtimeError('InvalidStreamingOperation', 'Streaming does not support non-async handlers.');
    }
    await pending;
    if (!response.writableEnded) {
      throw runtimeError('InvalidStreamingOperation', 'Response stream is not finished.');
    }
    invocation.end(KIND.RESPONSE, Buffer.concat(response.parts).toString('utf8'));
  } catch (error) {
    invocation.fail(error);
  }
}

module.exports = { awslambda: global_, isStreaming, run };
