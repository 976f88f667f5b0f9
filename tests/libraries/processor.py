"""A processor written with Amazon's library for Python. It writes what it sees to the file that SEEN names."""
import base64
import os

from amazon_kclpy import kcl
from amazon_kclpy.v3 import processor


def note(line):
    with open(os.environ["SEEN"], "a", encoding="utf-8") as seen:
        seen.write(line + "\n")


def checkpoint(checkpointer):
    while True:
        try:
            return checkpointer.checkpoint()
        except kcl.CheckpointError as error:
            if error.value == "ShutdownException":
                return None
            if error.value not in ("ThrottlingException", "KinesisClientLibDependencyException"):
                raise


class Witness(processor.RecordProcessorBase):
    def initialize(self, initialize_input):
        note("initialize")

    def process_records(self, process_records_input):
        for record in process_records_input.records:
            note(f"record {record.sequence_number} {base64.b64decode(record.data).decode()}")
        if process_records_input.records:
            checkpoint(process_records_input.checkpointer)

    def lease_lost(self, lease_lost_input):
        note("leaseLost")

    def shard_ended(self, shard_ended_input):
        note("shardEnded")
        checkpoint(shard_ended_input.checkpointer)

    def shutdown_requested(self, shutdown_requested_input):
        note("shutdownRequested")
        checkpoint(shutdown_requested_input.checkpointer)


if __name__ == "__main__":
    kcl.KCLProcess(Witness()).run()
