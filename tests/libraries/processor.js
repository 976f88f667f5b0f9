// A processor written with Amazon's library for Node. It writes what it sees to the file that SEEN names.
'use strict';

const fs = require('fs');
const kcl = require('aws-kcl');

function note(line) {
  fs.appendFileSync(process.env.SEEN, line + '\n');
}

function checkpoint(checkpointer, done) {
  checkpointer.checkpoint((error) => {
    if (error === 'ThrottlingException' || error === 'KinesisClientLibDependencyException') {
      checkpoint(checkpointer, done);
    } else if (error && error !== 'ShutdownException') {
      throw new Error(error);
    } else {
      done();
    }
  });
}

kcl({
  initialize(input, done) {
    note('initialize');
    done();
  },
  processRecords(input, done) {
    for (const record of input.records) {
      note(`record ${record.sequenceNumber} ${Buffer.from(record.data, 'base64')}`);
    }
    if (input.records.length === 0) {
      done();
    } else {
      checkpoint(input.checkpointer, done);
    }
  },
  leaseLost(input, done) {
    note('leaseLost');
    done();
  },
  shardEnded(input, done) {
    note('shardEnded');
    checkpoint(input.checkpointer, done);
  },
  shutdownRequested(input, done) {
    note('shutdownRequested');
    checkpoint(input.checkpointer, done);
  },
}).run();
