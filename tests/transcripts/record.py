#!/usr/bin/env python3
"""Records the conversations of the real MultiLangDaemon in this folder, with the jars in a folder and `cargo kcl emulate`.

    cargo kcl emulate > target/aws.env              # in another shell, until the end
    . target/aws.env
    python3 tests/transcripts/record.py --jars JARS --to FOLDER [NAME...]
    python3 tests/transcripts/record.py --compare tests/transcripts FOLDER

JARS is the daemon's folder in the tool's cache. The last command prints what differs, apart from sequence numbers and times. The daemon runs
this program for each shard, with `child` and a mode; README.md describes the files that it writes.
"""

import argparse
import base64
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

PATIENCE = 240
DEFAULTS = {
    "processingLanguage": "rust",
    "AwsCredentialsProvider": "EnvironmentVariableCredentialsProvider",
    "regionName": "us-east-1",
    "metricsLevel": "NONE",
    "retrievalMode": "POLLING",
    "initialPositionInStream": "TRIM_HORIZON",
    "failoverTimeMillis": "2000",
    "leaseAssignmentIntervalMillis": "1000",
    "shardSyncIntervalMillis": "2000",
    "parentShardPollIntervalMillis": "500",
    "idleTimeBetweenReadsInMillis": "250",
    "schedulerInitializationBackoffTimeMillis": "200",
    "taskBackoffTimeMillis": "100",
    "shutdownGraceMillis": "5000",
    "workerId": "w1",
}


# The processor.


class Child:
    def __init__(self, mode):
        self.modes = mode.split(",")
        slow = [part for part in self.modes if part.startswith("slow=")]
        self.slow = float(slow[0].split("=")[1]) if slow else 0
        self.counts = {"in": 0, "out": 0}
        self.batches = 0
        self.last = None

    def receive(self):
        line = sys.stdin.buffer.readline()
        if not line:
            return None
        message = json.loads(line)
        if self.counts["in"] == 0:
            self.open(message["shardId"])
        self.files["in"].write(line)
        kind = message["action"]
        if kind == "processRecords":
            kind += f" n={len(message['records'])}"
        if kind == "checkpoint":
            kind += f" {message['sequenceNumber']}/{message['subSequenceNumber']} error={message['error']}"
        self.note("in", kind)
        return message

    def open(self, shard):
        root = Path(os.environ["RECORDING"])
        names = [shard] + [f"{shard}.{number}" for number in range(2, 100)]
        self.folder = next(root / name for name in names if not (root / name).exists())
        self.folder.mkdir(parents=True)
        names = {"in": "in.jsonl", "out": "out.jsonl", "times": "times.tsv"}
        self.files = {key: open(self.folder / name, "wb", buffering=0) for key, name in names.items()}
        self.time("start", "")

    def time(self, direction, kind):
        self.files["times"].write(f"{time.time():.3f}\t{direction}\t{kind}\n".encode())

    def note(self, direction, kind):
        self.counts[direction] += 1
        self.time(direction, f"{self.counts[direction]} {kind}")

    def send(self, reply, kind):
        line = json.dumps(reply, separators=(",", ":")).encode() + b"\n"
        self.files["out"].write(line)
        self.note("out", kind)
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()

    def checkpoint(self, *place):
        reply = {"action": "checkpoint"}
        if place:
            reply.update(zip(("sequenceNumber", "subSequenceNumber"), place))
        number, sub = place or (None, None)
        self.send(reply, f"checkpoint {number}/{sub}")
        self.receive()

    def at(self, record):
        return record["sequenceNumber"], record["subSequenceNumber"]

    def run(self):
        while (message := self.receive()) is not None:
            action = message["action"]
            if action == "initialize" and "init" in self.modes:
                self.checkpoint(None, None)
                self.checkpoint("TRIM_HORIZON", 0)
            if action == "processRecords":
                self.records(message["records"])
            if action == "shutdownRequested" or action == "shardEnded":
                self.checkpoint(None, None)
            if action == "leaseLost" and "lost" in self.modes:
                self.checkpoint(None, None)
                self.checkpoint(*self.at(self.last))
            self.send({"action": "status", "responseFor": action}, f"status {action}")
        self.time("eof", "stdin")
        self.time("exit", "0")
        (self.folder / "exit").write_text("0\n")

    def records(self, records):
        first, self.last = records[0], records[-1]
        number, sub = self.at(self.last)
        time.sleep(self.slow)
        if "plain" in self.modes:
            self.checkpoint(None, None)
        if "mixed" in self.modes:
            [
                lambda: self.checkpoint(),
                lambda: self.checkpoint(number, sub),
                lambda: (self.checkpoint(first["sequenceNumber"], None), self.checkpoint(number, sub)),
            ][self.batches % 3]()
            self.batches += 1
        if "every" in self.modes:
            for record in records:
                self.checkpoint(*self.at(record))
        if "bad" in self.modes:
            beyond = str(int(number) + 1_000_000)
            for place in [("1", 0), ("not-a-number", 0), (beyond, 0), (number, 99), ("SHARD_END", None)]:
                self.checkpoint(*place)
            for place in [("LATEST", None), ("", None), (number, sub), self.at(first)]:
                self.checkpoint(*place)


# The services.


def call(service, operation, body):
    prefix, version, url = {
        "kinesis": ("Kinesis_20131202", "1.1", os.environ["AWS_ENDPOINT_URL_KINESIS"]),
        "dynamodb": ("DynamoDB_20120810", "1.0", os.environ["AWS_ENDPOINT_URL_DYNAMODB"]),
    }[service]
    credential = f"Credential=local/20260101/us-east-1/{service}/aws4_request"
    headers = {
        "Content-Type": f"application/x-amz-json-{version}",
        "X-Amz-Target": f"{prefix}.{operation}",
        "X-Amz-Date": "20260101T000000Z",
        "Authorization": f"AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0",
    }
    request = urllib.request.Request(url + "/", json.dumps(body).encode(), headers)
    try:
        text = urllib.request.urlopen(request, timeout=60).read()
    except urllib.error.HTTPError as error:
        sys.exit(f"{operation}: {error.read().decode()}")
    return json.loads(text) if text else None


def varint(number):
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + varint(number >> 7)


def field(number, content):
    return bytes([number << 3 | 2]) + varint(len(content)) + content


def aggregate(records):
    message = b"".join(field(1, key.encode()) for key, _ in records)
    for index, (_, data) in enumerate(records):
        message += field(3, b"\x08" + varint(index) + field(3, data))
    return b"\xf3\x89\x9a\xc2" + message + hashlib.md5(message).digest()


def text(**values):
    return json.dumps(values).encode()


class Run:
    """One recording: its stream, its daemon and its folder."""

    def __init__(self, arguments, name, what, shards):
        self.started = time.time()
        self.jars, self.name, self.shards = arguments.jars, name, shards
        self.folder = arguments.to / name
        self.folder.mkdir(parents=True)
        self.stream = f"{name.replace('_', '-')}-{os.getpid()}"
        self.orders, self.daemon = 0, None
        self.meta = {"what": what, "kcl": arguments.version, "shards": shards, "events": []}
        call("kinesis", "CreateStream", {"StreamName": self.stream, "ShardCount": shards})
        self.until("the stream is there", lambda: self.open_shards() is not None)

    def event(self, did, **more):
        self.meta["events"].append({"t": round(time.time() - self.started, 2), "did": did, **more})

    def until(self, what, condition):
        deadline = time.time() + PATIENCE
        while not condition():
            if time.time() > deadline or self.daemon and self.daemon.poll() is not None:
                sys.exit(f"{self.name}: not in time, or the daemon ended: {what}; see {self.folder}/daemon.log")
            time.sleep(0.02)

    def open_shards(self):
        summary = call("kinesis", "DescribeStreamSummary", {"StreamName": self.stream})
        if summary["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE":
            return call("kinesis", "ListShards", {"StreamName": self.stream})["Shards"]
        return None

    def put(self, records):
        entries = [{"Data": base64.b64encode(data).decode(), "PartitionKey": key} for key, data in records]
        output = call("kinesis", "PutRecords", {"StreamName": self.stream, "Records": entries})
        shards = [record["ShardId"] for record in output["Records"]]
        counts = {shard: shards.count(shard) for shard in sorted(set(shards))}
        self.event(f"put {len(records)} records", shards=counts)

    def put_orders(self, count):
        ids = range(self.orders, self.orders + count)
        self.orders += count
        self.put([(f"order-{id}", text(id=id, kind="order", cents=id * 37 % 1000)) for id in ids])

    def start(self, mode, **properties):
        self.prepare_tables()
        home = Path(tempfile.mkdtemp(prefix="kcl-record-"))
        properties = {
            **DEFAULTS,
            "executableName": f"{sys.executable} {Path(__file__).resolve()} child {mode}",
            "streamName": self.stream,
            "applicationName": self.stream,
            "kinesisEndpoint": os.environ["AWS_ENDPOINT_URL_KINESIS"],
            "dynamoDBEndpoint": os.environ["AWS_ENDPOINT_URL_DYNAMODB"],
            **properties,
        }
        file = home / "daemon.properties"
        file.write_text("".join(f"{key} = {value}\n" for key, value in properties.items()))
        command = ["java", "-Dfile.encoding=UTF-8", "-cp", f"{self.jars}/*"]
        command += ["software.amazon.kinesis.multilang.MultiLangDaemon", "--properties-file", str(file)]
        environment = {**os.environ, "RECORDING": str(self.folder)}
        log = open(self.folder / "daemon.log", "wb")
        # A process group of its own, so that a signal for this program does not reach the processors.
        self.daemon = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        self.event("daemon w1 started", child=mode)
        started = time.time()
        self.until("the first initialize", lambda: self.lines("in"))
        self.event("first initialize", after=round(time.time() - started, 1))

    def prepare_tables(self):
        """Creates the lease table with its leases, as `cargo kcl daemon --emulate` does."""
        attribute = lambda name: {"AttributeName": name, "AttributeType": "S"}
        key = lambda name, kind: {"AttributeName": name, "KeyType": kind}
        index = [key("leaseOwner", "HASH"), key("leaseKey", "RANGE")]
        projection = {"ProjectionType": "KEYS_ONLY"}
        table = {
            "TableName": self.stream,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [attribute("leaseKey"), attribute("leaseOwner")],
            "KeySchema": [key("leaseKey", "HASH")],
            "GlobalSecondaryIndexes": [
                {"IndexName": "LeaseOwnerToLeaseKeyIndex", "KeySchema": index, "Projection": projection}
            ],
        }
        call("dynamodb", "CreateTable", table)
        for shard in self.open_shards():
            numbers = ["leaseCounter", "checkpointSubSequenceNumber", "ownerSwitchesSinceCheckpoint"]
            item = {"leaseKey": shard["ShardId"], "leaseOwner": "w1", "checkpoint": "TRIM_HORIZON"}
            item = {name: {"S": value} for name, value in item.items()} | {name: {"N": "0"} for name in numbers}
            call("dynamodb", "PutItem", {"TableName": self.stream, "Item": item})

    def lines(self, direction, shard="*"):
        """The whole lines of every process of a shard."""
        texts = [path.read_bytes() for path in sorted(self.folder.glob(f"{shard}*/{direction}.jsonl"))]
        return [json.loads(line) for text in texts for line in text.splitlines(True) if line.endswith(b"\n")]

    def settled(self, records):
        """Waits until so many records were delivered and every message is answered."""
        def is_settled():
            incoming = [line for line in self.lines("in") if line["action"] != "checkpoint"]
            delivered = sum(len(line.get("records", [])) for line in incoming)
            answers = sum(line["action"] == "status" for line in self.lines("out"))
            return delivered >= records and answers == len(incoming)
        self.until(f"{records} records are processed", is_settled)

    def initialized(self, children):
        started = lambda: sum(line["action"] == "initialize" for line in self.lines("in"))
        self.until(f"{children} children", lambda: started() >= children)
        self.event(f"{children} children initialized")

    def end(self, number):
        if number == signal.SIGTERM:
            time.sleep(1)
            self.event("SIGTERM to the daemon")
        self.daemon.send_signal(number)
        code = self.daemon.wait(PATIENCE)
        if number == signal.SIGTERM:
            self.event("daemon gone", exit_code=code)
        else:
            self.event("SIGKILL to the daemon", exit_code=code)
        self.daemon = None
        self.until("the children end", lambda: all((path / "exit").exists() for path in self.folder.glob("shardId*")))
        items = call("dynamodb", "Scan", {"TableName": self.stream})["Items"]
        leases = {item["leaseKey"]["S"]: item for item in items if item["leaseKey"]["S"].startswith("shardId-")}
        self.meta["leases_after"] = {
            shard: {
                "checkpoint": leases[shard]["checkpoint"]["S"],
                "sub": int(leases[shard]["checkpointSubSequenceNumber"]["N"]),
                "owner": leases[shard].get("leaseOwner", {}).get("S"),
            }
            for shard in sorted(leases)
        }
        (self.folder / "meta.json").write_text(self.meta_text())
        (self.folder / "daemon.log").unlink()

    def meta_text(self):
        """The metadata as JSON, with one event and one lease to a line."""
        line = lambda value: json.dumps(value)
        events = ",\n".join(f"  {line(event)}" for event in self.meta.pop("events"))
        leases = ",\n".join(f"  {line(key)}: {line(lease)}" for key, lease in self.meta.pop("leases_after").items())
        head = "".join(f" {line(key)}: {line(value)},\n" for key, value in self.meta.items())
        return f'{{\n{head} "events": [\n{events}\n ],\n "leases_after": {{\n{leases}\n }}\n}}\n'


# The recordings.


def a_checkpoints(start):
    run = start("initialize, batches before and during, checkpoints: none given, explicit last, explicit first then last", 4)
    run.put_orders(12)
    run.start("mixed")
    for total, more in [(12, 8), (20, 10), (30, 6)]:
        run.settled(total)
        run.put_orders(more)
    run.settled(36)
    run.end(signal.SIGKILL)


def b_graceful(start):
    run = start("SIGTERM to the daemon with shutdownGraceMillis set: shutdownRequested, checkpoint, status, then leaseLost", 2)
    run.put_orders(10)
    run.start("none")
    run.settled(10)
    run.end(signal.SIGTERM)


def c_reshard(start):
    what = "a shard is split, its children later merged: shardEnded, checkpoint, status; the children start once their parents are done"
    run = start(what, 2)
    run.put_orders(8)
    run.start("plain")
    run.settled(8)
    split, left, right = ("shardId-000000000000", "shardId-000000000002", "shardId-000000000003")
    middle = {"StreamName": run.stream, "ShardToSplit": split, "NewStartingHashKey": str(2**126)}
    call("kinesis", "SplitShard", middle)
    run.event(f"split {split}")
    run.until("the split is done", lambda: run.open_shards() is not None)
    run.put_orders(8)
    run.initialized(4)
    run.put_orders(8)
    run.settled(24)
    call("kinesis", "MergeShards", {"StreamName": run.stream, "ShardToMerge": left, "AdjacentShardToMerge": right})
    run.event(f"merged {left} + {right}")
    run.until("the merge is done", lambda: run.open_shards() is not None)
    run.put_orders(8)
    run.initialized(5)
    run.settled(32)
    run.end(signal.SIGTERM)


def e_checkpoint_errors(start):
    what = "checkpoints: 1 (accepted while the lease stands at TRIM_HORIZON, refused later), no number, beyond the batch, unknown sub-sequence, SHARD_END, LATEST, empty, then a good one, then one before it; and checkpoints during initialize"
    run = start(what, 1)
    run.put_orders(6)
    run.start("bad,init")
    run.settled(6)
    run.put_orders(3)
    run.settled(9)
    run.end(signal.SIGKILL)


def e2_checkpoint_lost(start):
    run = start("the lease goes away while processRecords is under way: the checkpoint is refused; then one during leaseLost", 1)
    run.put_orders(4)
    run.start("plain,slow=8,lost")
    run.until("the batch is being processed", lambda: any(line["action"] == "processRecords" for line in run.lines("in")))
    shard = "shardId-000000000000"
    update = {
        "TableName": run.stream,
        "Key": {"leaseKey": {"S": shard}},
        "UpdateExpression": "SET leaseOwner = :thief ADD leaseCounter :one",
        "ExpressionAttributeValues": {":thief": {"S": "thief"}, ":one": {"N": "1"}},
    }
    call("dynamodb", "UpdateItem", update)
    run.event(f"lease row of {shard} given to thief")
    run.until("another child", lambda: (run.folder / f"{shard}.2").exists())
    run.settled(8)
    run.end(signal.SIGTERM)


def i_kpl(start):
    run = start("KPL-aggregated records: plain, 4 in one, plain, 3 in one; a checkpoint after each user record", 1)
    parts = lambda kind, count: aggregate([(f"{kind}-{id}", text(id=id, kind=kind)) for id in range(count)])
    run.put([("p0", b"plain-0"), ("agg", parts("agg", 4)), ("p1", b"plain-1"), ("more", parts("more", 3))])
    run.start("every")
    run.settled(9)
    run.end(signal.SIGTERM)


RECORDINGS = [a_checkpoints, b_graceful, c_reshard, e2_checkpoint_lost, e_checkpoint_errors, i_kpl]


def in_words(folder):
    """The conversations of a folder without what is new in every run: sequence numbers become their order, and times a word."""
    result = {}
    for recording in sorted(path for path in folder.iterdir() if path.is_dir()):
        for process in sorted(path for path in recording.iterdir() if path.is_dir()):
            numbers = {}
            name = lambda match: numbers.setdefault(match[0], f"#{len(numbers)}")
            lines = []
            incoming, outgoing = ((process / file).read_text().splitlines() for file in ("in.jsonl", "out.jsonl"))
            for line in (process / "times.tsv").read_text().splitlines():
                direction = line.split("\t")[1]
                if direction in ("in", "out"):
                    lines.append(direction + " " + (incoming if direction == "in" else outgoing).pop(0))
            text = "\n".join(lines)
            text = re.sub(r'("approximateArrivalTimestamp":)\d+', r"\1TIME", text)
            result[f"{recording.name}/{process.name}"] = re.sub(r"\d{50,}", name, text).splitlines()
    return result


def compare(before, after):
    import difflib
    before, after = in_words(before), in_words(after)
    differences = 0
    for name in sorted(before.keys() | after.keys()):
        lines = list(difflib.unified_diff(before.get(name, []), after.get(name, []), name, name, "", "", 0, ""))
        differences += len(lines)
        print("\n".join(line[:200] for line in lines) if lines else f"{name}: the same {len(after[name])} lines")
    return 1 if differences else 0


def main():
    if sys.argv[1:2] == ["child"]:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        return Child(sys.argv[2]).run()
    parser = argparse.ArgumentParser()
    parser.add_argument("--jars", type=Path)
    parser.add_argument("--to", type=Path)
    parser.add_argument("--compare", type=Path, nargs=2)
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    if arguments.compare:
        return compare(*arguments.compare)
    jar = lambda start: next(path.stem for path in arguments.jars.glob(f"{start}-[0-9]*.jar"))
    arguments.to = arguments.to.resolve()
    arguments.version = " over ".join(
        re.sub(r"-(?=\d)", " ", jar(name)) for name in ("amazon-kinesis-client-multilang", "amazon-kinesis-client")
    )
    for recording in RECORDINGS:
        name = recording.__name__
        if not arguments.names or name in arguments.names:
            print(name, flush=True)
            recording(lambda what, shards: Run(arguments, name, what, shards))
    return 0


if __name__ == "__main__":
    sys.exit(main())
