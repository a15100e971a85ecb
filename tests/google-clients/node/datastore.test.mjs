// The whole suite in one process, since loading the client takes longer than most parts run. A part runs alone too:
//   node --test tests/google-clients/node/queries.mjs
import { after } from 'node:test';
import { closeClients, datastore, isRest } from './client.mjs';
import './writes.mjs';
import './values.mjs';
import './queries.mjs';
import './pages.mjs';
import './aggregations.mjs';
import './transactions.mjs';
import './ended-transactions.mjs';
import './partitions.mjs';
import './explain.mjs';
import './raw-messages.mjs';
import './rest.mjs';

console.log(
  `@google-cloud/datastore ${datastore.options.libVersion} over ${isRest ? 'REST' : 'gRPC'} against ${process.env.DATASTORE_EMULATOR_HOST}`,
);
after(closeClients);
