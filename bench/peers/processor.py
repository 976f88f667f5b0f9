"""Amazon's library for Python."""
import sys

from amazon_kclpy import kcl
from amazon_kclpy.v3 import processor


class Tally(processor.RecordProcessorBase):
    def initialize(self, initialize_input):
        self.records = self.bytes = self.sum = 0

    def process_records(self, process_records_input):
        for record in process_records_input.records:
            data = record.binary_data
            self.records += 1
            self.bytes += len(data)
            self.sum += data[len(data) // 2]
        process_records_input.checkpointer.checkpoint()

    def lease_lost(self, lease_lost_input):
        print("tally", self.records, self.bytes, self.sum, file=sys.stderr, flush=True)

    def shard_ended(self, shard_ended_input):
        pass

    def shutdown_requested(self, shutdown_requested_input):
        pass


if __name__ == "__main__":
    kcl.KCLProcess(Tally()).run()
