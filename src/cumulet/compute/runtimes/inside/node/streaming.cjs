// Handlers that write their response: `awslambda.streamifyResponse`. What they write is sent as they write it.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html
'use strict';

const { Writable } = require('stream');
const { describe, runtimeError } = require('./errors.cjs');
const { KIND } = require('./frames.cjs');

const MARK = Symbol.for('aws.lambda.runtime.handler.streaming');
const HIGH_WATER_MARK = Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark');
const BETWEEN_METADATA_AND_BODY = '\0'.repeat(8);
const WITH_METADATA = 'application/vnd.awslambda.http-integration-response';
const MAX_PART = 1 << 16;

/** What a streaming handler writes to. The platform that does not keep up makes `write` say so, as any stream. */
class Response extends Writable {
  constructor(invocation, options) {
    super(options);
    this.invocation = invocation;
    this.begun = false;
    this.contentType = 'application/octet-stream';
    this.metadata = null;
  }

  setContentType(type) {
    if (this.begun) {
      throw runtimeError('InvalidStreamingOperation', 'Cannot set content-type, too late.');
    }
    this.contentType = type;
  }

  begin() {
    this.begun = true;
    this.invocation.part(KIND.BEGIN, Buffer.from(this.contentType));
    if (this.metadata !== null) {
      this.invocation.part(KIND.PART, Buffer.from(this.metadata + BETWEEN_METADATA_AND_BODY));
    }
  }

  _write(written, encoding, done) {
    const data = Buffer.isBuffer(written) ? written : Buffer.from(written, encoding);
    if (!this.begun) {
      this.begin();
    }
    if (!data.length) {
      done();
      return;
    }
    for (let at = 0; at < data.length; at += MAX_PART) {
      const last = at + MAX_PART >= data.length;
      this.invocation.part(KIND.PART, data.subarray(at, at + MAX_PART), last ? done : undefined);
    }
  }

  _final(done) {
    if (!this.begun) {
      this.begin();
    }
    done();
  }
}

const global_ = {
  streamifyResponse(handler, options) {
    handler[MARK] = 'response';
    if (typeof options?.highWaterMark === 'number') {
      handler[HIGH_WATER_MARK] = options.highWaterMark;
    }
    return handler;
  },
  HttpResponseStream: {
    /** Have a stream begin with a response's status and headers. */
    from(stream, metadata) {
      stream.setContentType(WITH_METADATA);
      stream.metadata = JSON.stringify(metadata);
      return stream;
    },
  },
};

function isStreaming(handler) {
  return handler[MARK] === 'response';
}

/** Resolves when all that was written is with the platform. */
function finished(response) {
  return new Promise((resolve, reject) => {
    response.once('finish', resolve);
    response.once('error', reject);
    if (response.writableFinished) {
      resolve();
    } else if (response.errored) {
      reject(response.errored);
    }
  });
}

async function run(invocation, handler, input, context) {
  const response = new Response(invocation, { highWaterMark: handler[HIGH_WATER_MARK] });
  response.on('error', () => {}); // the handler's promise, or `finished`, tells of it
  try {
    const pending = handler(input, response, context);
    if (typeof pending?.then !== 'function') {
      throw runtimeError('InvalidStreamingOperation', 'Streaming does not support non-async handlers.');
    }
    await pending;
    if (!response.writableEnded) {
      throw runtimeError('InvalidStreamingOperation', 'Response stream is not finished.');
    }
    await finished(response);
    invocation.end(KIND.RESPONSE, '');
  } catch (error) {
    if (response.begun && !invocation.ended) {
      invocation.part(KIND.FAULT, Buffer.from(describe(error).errorType));
    }
    invocation.fail(error);
    response.destroy();
  }
}

module.exports = { awslambda: global_, isStreaming, run };
