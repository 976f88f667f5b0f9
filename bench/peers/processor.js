// Amazon's library for Node.
'use strict';

const kcl = require('aws-kcl');

let records = 0;
let bytes = 0;
let sum = 0;

kcl({
  initialize(input, done) {
    done();
  },
  processRecords(input, done) {
    for (const record of input.records) {
      const data = Buffer.from(record.data, 'base64');
      records += 1;
      bytes += data.length;
      sum += data[data.length >> 1];
    }
    input.checkpointer.checkpoint((error) => {
      if (error) {
        throw new Error(error);
      }
      done();
    });
  },
  leaseLost(input, done) {
    process.stderr.write(`tally ${records} ${bytes} ${sum}\n`);
    done();
  },
  shardEnded(input, done) {
    done();
  },
  shutdownRequested(input, done) {
    done();
  },
}).run();
