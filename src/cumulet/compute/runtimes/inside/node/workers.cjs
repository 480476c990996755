// Several invocations at once: threads that each load the function, and each serve as many as come at once.
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-nodejs-runtime.html
'use strict';

const os = require('os');
const path = require('path');
const { SHARE_ENV, Worker } = require('worker_threads');
const { logError } = require('./console.cjs');
const { KIND } = require('./frames.cjs');

const MB_OF_A_PROCESSOR = 2048;

/** How many threads there are: one for each processor, unless the function says otherwise. */
function count(most) {
  const wanted = Number(process.env.AWS_LAMBDA_NODEJS_WORKER_COUNT);
  if (Number.isInteger(wanted) && wanted > 0) {
    return Math.min(wanted, most);
  }
  const memory = Number(process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE) || MB_OF_A_PROCESSOR;
  return Math.max(1, Math.min(Math.floor(memory / MB_OF_A_PROCESSOR), os.cpus().length, most));
}

/** Keep the threads; one that ends after it had loaded the function is replaced. Without any, the process ends. */
function start(channel, handler) {
  const most = Number(process.env.AWS_LAMBDA_MAX_CONCURRENCY);
  const threads = count(most);
  const running = new Set();
  const open = (number) => {
    let loaded = false;
    const thread = new Worker(path.join(__dirname, 'worker.cjs'), {
      env: SHARE_ENV,
      workerData: { number, handler, atOnce: Math.ceil(most / threads) },
    });
    running.add(thread);
    thread.on('message', () => {
      loaded = true;
    });
    thread.on('error', (error) => logError('Uncaught Exception', error));
    thread.on('exit', (status) => {
      running.delete(thread);
      channel.send(KIND.WORKER_ENDED, JSON.stringify({ worker: number, status: status || 1 }));
      if (loaded) {
        open(number);
      } else if (!running.size) {
        process.exit(status);
      }
    });
  };
  for (let number = 0; number < threads; number += 1) {
    open(number);
  }
}

module.exports = { start };
