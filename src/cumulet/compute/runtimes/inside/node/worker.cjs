// One thread of a runtime that serves several invocations at once.
'use strict';

const { AsyncLocalStorage } = require('async_hooks');
const { parentPort, workerData } = require('worker_threads');
const { log, logError, patch } = require('./console.cjs');
const { describe } = require('./errors.cjs');
const { loadChecked } = require('./handler.cjs');
const { Invocation } = require('./invocation.cjs');
const { Answer, RuntimeApi } = require('./runtime_api.cjs');
const { awslambda } = require('./streaming.cjs');

const storage = new AsyncLocalStorage();
const KEYS = {
  REQUEST_ID: Symbol.for('_AWS_LAMBDA_REQUEST_ID'),
  X_RAY_TRACE_ID: Symbol.for('_AWS_LAMBDA_X_RAY_TRACE_ID'),
  TENANT_ID: Symbol.for('_AWS_LAMBDA_TENANT_ID'),
};

/** What libraries ask for the invocation that they run in, as AWS's runtime has it: `awslambda.InvokeStore`. */
const store = {
  run: (context, action) => storage.run(context, action),
  getContext: () => storage.getStore(),
  hasContext: () => storage.getStore() !== undefined,
  get: (key) => storage.getStore()?.[key],
  set: (key, value) => {
    const context = storage.getStore();
    if (!context) {
      throw new Error('No context available');
    }
    if (Object.values(KEYS).includes(key)) {
      throw new Error(`Cannot modify protected Lambda context field: ${String(key)}`);
    }
    context[key] = value;
  },
  getRequestId: () => storage.getStore()?.[KEYS.REQUEST_ID] ?? '-',
  getXRayTraceId: () => storage.getStore()?.[KEYS.X_RAY_TRACE_ID],
  getTenantId: () => storage.getStore()?.[KEYS.TENANT_ID],
};

/** One of several: nothing of it is the process's. */
class OneOfMany extends Invocation {
  constructor(channel, header) {
    super(channel, header);
    this.waits = false; // an idle loop says nothing of one of them
  }

  begin() {}
}

function serve(api, handler, header, event) {
  return new Promise((resolve) => {
    const context = {
      [KEYS.REQUEST_ID]: header.request_id,
      [KEYS.X_RAY_TRACE_ID]: header.trace,
      [KEYS.TENANT_ID]: header.tenant_id,
    };
    const answer = new Answer(api, header.request_id, resolve);
    storage.run(context, () => new OneOfMany(answer, header).run(handler, event));
  });
}

async function main() {
  const { number, handler: name, atOnce } = workerData;
  const api = new RuntimeApi(process.env.AWS_LAMBDA_RUNTIME_API, number);
  log.current = () => {
    const context = storage.getStore();
    return { requestId: context?.[KEYS.REQUEST_ID], tenantId: context?.[KEYS.TENANT_ID] };
  };
  patch();
  if (!['1', 'true'].includes(process.env.AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA)) {
    globalThis.awslambda = { ...awslambda, InvokeStore: store };
  }
  let handler;
  try {
    handler = await loadChecked(process.env.LAMBDA_TASK_ROOT, name);
  } catch (error) {
    logError('Uncaught Exception', error);
    await api.failToLoad(JSON.stringify(describe(error)));
    process.exit(1);
  }
  parentPort.postMessage('loaded');
  const loop = async () => {
    for (;;) {
      const [header, event] = await api.next();
      await serve(api, handler, header, event);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, loop));
}

main().catch((error) => setImmediate(() => { throw error; }));
