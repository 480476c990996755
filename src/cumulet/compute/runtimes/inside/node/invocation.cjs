// One invocation: its handler is called, its end is found, and told once.
'use strict';

const { log, logError } = require('./console.cjs');
const { makeContext } = require('./context.cjs');
const { describe, runtimeError } = require('./errors.cjs');
const { KIND } = require('./frames.cjs');
const { PROMISES_ONLY } = require('./handler.cjs');
const { run: runStreaming, isStreaming } = require('./streaming.cjs');

const UNSETTLED =
  'The Lambda runtime client detected an unexpected Node.js exit code. This is most commonly caused by a Promise that ' +
  'was never settled. For more information, see https://nodejs.org/docs/latest/api/process.html#exit-codes';

class Invocation {
  constructor(channel, header) {
    this.channel = channel;
    this.header = header;
    this.ended = false;
    this.waits = true;
    this.onIdle = null; // what to do once nothing is left to wait for
  }

  answer(result) {
    let text;
    try {
      text = JSON.stringify(result === undefined ? null : result) ?? 'null';
    } catch {
      const message = 'Unable to stringify response body';
      this.fail(PROMISES_ONLY ? runtimeError('JSONStringifyError', message) : new Error(message));
      return;
    }
    this.end(KIND.RESPONSE, text);
  }

  fail(error) {
    if (!this.ended) {
      logError('Invoke Error', error);
    }
    this.end(KIND.ERROR, JSON.stringify(describe(error)));
  }

  /** A part of a response that is written as it comes; not after its end. */
  part(kind, data, done) {
    if (!this.ended) {
      this.channel.sendPart(kind, data, done);
    } else if (done) {
      done();
    }
  }

  end(kind, text, done) {
    if (this.ended) {
      return;
    }
    this.ended = true;
    this.onIdle = null;
    this.channel.rest();
    this.channel.send(kind, text, done);
  }

  /** It is the process's only one. */
  begin() {
    log.requestId = this.header.request_id;
    log.tenantId = this.header.tenant_id || undefined;
    Object.assign(process.env, this.header.environment);
    if (this.header.trace) {
      process.env._X_AMZN_TRACE_ID = this.header.trace;
    }
  }

  /** Call the handler; sooner or later the invocation ends by `answer`, `fail` or `idle`. */
  run(handler, event) {
    this.begin();
    this.onIdle =
      handler.constructor?.name === 'AsyncFunction' || PROMISES_ONLY
        ? () => this.fail(runtimeError('NodeJsExit', UNSETTLED))
        : () => this.answer(null);
    this.channel.work();
    try {
      const input = JSON.parse(event);
      if (isStreaming(handler)) {
        runStreaming(this, handler, input, makeContext(this.header, {}));
      } else if (PROMISES_ONLY) {
        this.settle(handler(input, makeContext(this.header, {})));
      } else {
        this.call(handler, input);
      }
    } catch (error) {
      this.fail(error);
    }
  }

  call(handler, input) {
    const endings = {};
    let finished = false;
    const once = (action) => (...values) => {
      if (!finished) {
        finished = true;
        action(...values);
      }
    };
    const finish = (error, result) => (error === undefined || error === null ? this.answer(result) : this.fail(error));
    Object.defineProperty(endings, 'callbackWaitsForEmptyEventLoop', {
      enumerable: true,
      get: () => this.waits,
      set: (value) => {
        this.waits = value;
      },
    });
    endings.succeed = once((result) => finish(null, result));
    endings.fail = once((error) => finish(error ?? 'handled'));
    endings.done = once(finish);
    const callback = once((error, result) => {
      if (this.waits && (error === undefined || error === null)) {
        this.onIdle = () => this.answer(result);
      } else {
        finish(error, result);
      }
    });
    let result;
    try {
      result = handler(input, makeContext(this.header, endings), callback);
    } catch (error) {
      callback(error); // does nothing when the handler has answered already
    }
    if (typeof result?.then === 'function') {
      result.then(endings.succeed, endings.fail);
    }
  }

  async settle(pending) {
    try {
      this.answer(await pending);
    } catch (error) {
      this.fail(error);
    }
  }

  /** Nothing is left to wait for. */
  idle() {
    this.onIdle?.();
  }
}

module.exports = { Invocation };
