// The Node.js runtime: started ahead of its function, or with it; takes the function on, and serves its invocations.
//
// Descriptor 3 is the channel to the platform; 4 is where the function comes from: one JSON document.
'use strict';

const fs = require('fs');
const { log, logError, patch } = require('./console.cjs');
const { describe, runtimeError } = require('./errors.cjs');
const { Channel, KIND } = require('./frames.cjs');
const { PROMISES_ONLY, loadChecked } = require('./handler.cjs');
const { Invocation } = require('./invocation.cjs');
const { awslambda } = require('./streaming.cjs');

const CHANNEL = 3;
const ORDERS = 4;
const MAX_ORDER = 1 << 16;
const EXIT_UNCAUGHT = 129;
const EXIT_REJECTION = 128;
const ahead = process.argv[2] === 'ahead';

/** Do what an invocation does, ahead of it: code is compiled and pages are touched now, not later. */
async function rehearse() {
  await import('data:text/javascript,export default await 1');
  const channel = { rest() {}, work() {}, send() {} };
  const answering = PROMISES_ONLY ? () => 1 : (_event, _context, done) => done(null, 1);
  for (const handler of [async (event) => event, answering]) {
    const invocation = new Invocation(channel, { request_id: '', environment: {} });
    invocation.run(handler, '{}');
    await new Promise(setImmediate);
    invocation.idle();
  }
  log.requestId = undefined;
}

/** Waits for the function; null when none will come. Started ahead of it, says first that it is ready. */
async function receiveAssignment() {
  if (ahead) {
    process.argv.pop();
    await rehearse();
    fs.writeSync(ORDERS, '{}');
  }
  const buffer = Buffer.allocUnsafe(MAX_ORDER);
  const size = fs.readSync(ORDERS, buffer, 0, MAX_ORDER);
  fs.closeSync(ORDERS);
  return size ? JSON.parse(buffer.toString('utf8', 0, size)) : null;
}

/** Take on the function's environment; one started with it has it already, as its wrapper script left it. */
function become(environment) {
  if (ahead) {
    for (const name of Object.keys(process.env)) {
      if (!(name in environment)) {
        delete process.env[name];
      }
    }
    Object.assign(process.env, environment);
  }
  process.chdir(process.env.LAMBDA_TASK_ROOT);
  patch();
  if (!['1', 'true'].includes(process.env.AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA)) {
    globalThis.awslambda = awslambda;
  }
}

/** Tell of errors that nobody caught, and end: by the invocation's answer where one runs, else by the loading's. */
function watchErrors(channel, current) {
  const end = (what, error, status) => {
    logError(what, error);
    const leave = () => process.exit(status);
    const text = JSON.stringify(describe(error));
    if (!current.ready) {
      channel.send(KIND.INIT_ERROR, text, leave);
    } else if (current.invocation && !current.invocation.ended) {
      current.invocation.end(KIND.LAST_ERROR, text, leave);
    } else {
      leave();
    }
  };
  process.on('uncaughtException', (error) => end('Uncaught Exception', error, EXIT_UNCAUGHT));
  process.on('unhandledRejection', (reason) => {
    end('Unhandled Promise Rejection', runtimeError('UnhandledPromiseRejection', String(reason)), EXIT_REJECTION);
  });
  process.on('beforeExit', () => current.invocation?.idle());
}

async function main() {
  const assignment = await receiveAssignment();
  if (!assignment) {
    process.exit(0);
  }
  become(assignment.environment);
  const current = { ready: false, invocation: null };
  const channel = new Channel(CHANNEL, (header, event) => {
    current.invocation = new Invocation(channel, header);
    current.invocation.run(current.handler, event);
  });
  watchErrors(channel, current);
  const name = (!ahead && process.env._HANDLER) || assignment.handler;
  if (process.env.AWS_LAMBDA_MAX_CONCURRENCY) {
    require('./workers.cjs').start(channel, name);
    return;
  }
  current.handler = await loadChecked(process.env.LAMBDA_TASK_ROOT, name);
  setImmediate(() => { // a rejection that loading left behind is told of before
    current.ready = true;
    channel.send(KIND.READY, '');
  });
}

// A rejection here is the function's: thrown on a turn of its own, it ends as any exception that nobody caught.
main().catch((error) => setImmediate(() => { throw error; }));
