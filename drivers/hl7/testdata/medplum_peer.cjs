// The other side of the tests in medplum_test.go, made of @medplum/hl7.
//
//   node medplum_peer.cjs client HOST PORT first|application   messages as JSON lines on stdin
//   node medplum_peer.cjs server PORT original|enhanced        until stdin ends
//
// The client prints a JSON line for each acknowledgement that it was given, the
// server one for each message that it received.
'use strict';
const { createRequire } = require('node:module');
const { join } = require('node:path');
const readline = require('node:readline');

const from = createRequire(join(process.env.LABCOURIER_PEERS, 'node_modules', 'x.js'));
const { Hl7Client, Hl7Server } = from('@medplum/hl7');
const { Hl7Message } = from('@medplum/core');

const tell = (what) => process.stdout.write(JSON.stringify(what) + '\n');

async function client(host, port, returnAck) {
  const c = new Hl7Client({ host, port: Number(port), keepAlive: true });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const message = Hl7Message.parse(JSON.parse(line));
    const sent = message.header.getComponent(10, 1);
    // One at a time: it takes what one read gives it for one message, and so loses an
    // answer if it is kept from reading between two. An analyzer sends again then.
    for (let tries = 1; ; tries++) {
      try {
        const ack = await c.sendAndWait(message, { returnAck, timeoutMs: 5000 });
        const msa = ack.getSegment('MSA');
        tell({ sent, tries, code: msa.getComponent(1, 1), to: msa.getComponent(2, 1), type: ack.header.getField(9).toString(), err: ack.getSegment('ERR') !== undefined });
        break;
      } catch (err) {
        if (tries < 3) continue;
        tell({ sent, tries, code: 'none', to: String(err.message) });
        break;
      }
    }
  }
  await c.close();
  process.exit(0); // its timers go on for as long as they were set
}

function server(port, mode) {
  const s = new Hl7Server((connection) => {
    connection.addEventListener('message', ({ message }) => {
      tell({ received: message.header.getComponent(10, 1) });
      connection.send(message.buildAck());
    });
  });
  s.start(Number(port), undefined, mode === 'enhanced');
  s.server.on('listening', () => tell({ listening: true }));
  process.stdin.on('end', () => s.stop({ forceDrainTimeoutMs: 100 })).resume();
}

const [role, ...args] = process.argv.slice(2);
({ client, server })[role](...args);
