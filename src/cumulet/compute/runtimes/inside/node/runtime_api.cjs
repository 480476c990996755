// A client of the HTTP Runtime API, for invocations that come several at once.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
'use strict';

const http = require('http');
const { KIND } = require('./frames.cjs');

const VERSION = '/2018-06-01/runtime';
const PREFIX = 'lambda-runtime-';

/** `worker` is told with each request for an event, so that the platform knows who has it. */
class RuntimeApi {
  constructor(address, worker) {
    const [host, port] = address.split(':');
    this.options = { host, port, agent: new http.Agent({ keepAlive: true, noDelay: true }) };
    this.worker = worker;
  }

  /** The next invocation, as a header of the frames' form, and its event. */
  async next() {
    const { headers, body } = await this.ask('GET', '/invocation/next', { 'Cumulet-Worker': this.worker });
    const given = (name) => headers[PREFIX + name];
    const header = {
      request_id: given('aws-request-id'),
      deadline_ms: Number(given('deadline-ms')),
      function_arn: given('invoked-function-arn'),
      client_context: JSON.parse(given('client-context') ?? 'null'),
      identity: JSON.parse(given('cognito-identity') ?? 'null'),
      trace: given('trace-id'),
      tenant_id: given('aws-tenant-id'),
      environment: {},
    };
    return [header, body.toString('utf8')];
  }

  /** Tell that the function cannot be loaded. */
  async failToLoad(document) {
    await this.ask('POST', '/init/error', {}, document);
  }

  ask(method, path, headers, body) {
    return new Promise((resolve, reject) => {
      const request = this.request(method, path, headers, (answer) => {
        const parts = [];
        answer.on('data', (part) => parts.push(part));
        answer.on('end', () => resolve({ headers: answer.headers, body: Buffer.concat(parts) }));
        answer.on('error', reject);
      });
      request.on('error', reject);
      request.end(body);
    });
  }

  request(method, path, headers, onAnswer) {
    return http.request({ ...this.options, method, path: VERSION + path, headers }, onAnswer);
  }
}

/** In place of the channel of frames, for one invocation: what it sends becomes a request. */
class Answer {
  constructor(api, id, onEnd) {
    this.api = api;
    this.path = `/invocation/${id}`;
    this.onEnd = onEnd;
    this.stream = null;
    this.fault = null;
  }

  rest() {}

  work() {}

  send(kind, text) {
    if (this.stream) {
      if (kind !== KIND.RESPONSE) {
        this.stream.addTrailers({
          'Lambda-Runtime-Function-Error-Type': this.fault ?? 'Error',
          'Lambda-Runtime-Function-Error-Body': Buffer.from(text).toString('base64'),
        });
      }
      this.stream.end();
      return;
    }
    const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) };
    this.api.ask('POST', this.path + (kind === KIND.RESPONSE ? '/response' : '/error'), headers, text).finally(this.onEnd);
  }

  sendPart(kind, data, done) {
    if (kind === KIND.BEGIN) {
      this.begin(data.toString());
      done?.();
    } else if (kind === KIND.FAULT) {
      this.fault = data.toString();
      done?.();
    } else {
      this.stream.write(data, done);
    }
  }

  begin(contentType) {
    const headers = {
      'Content-Type': contentType,
      'Lambda-Runtime-Function-Response-Mode': 'streaming',
      'Transfer-Encoding': 'chunked',
      Trailer: 'Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body',
    };
    this.stream = this.api.request('POST', `${this.path}/response`, headers, (answer) => {
      answer.resume();
      answer.on('close', this.onEnd);
    });
    this.stream.on('error', this.onEnd);
  }
}

module.exports = { Answer, RuntimeApi };
