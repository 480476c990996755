// Loaded before anything else while a function is debugged: waits for the debugger.
'use strict';

const inspector = require('node:inspector');

if (!inspector.url()) {
  inspector.open(Number(process.env.CUMULET_DEBUG_PORT), '127.0.0.1');
  inspector.waitForDebugger();
}
