"""Makes vectors.jsonl: aggregates by Amazon's own Python library, some of them damaged, and how Amazon's KCL reads each.

    python3 -m venv env && env/bin/pip install aws_kinesis_agg==1.2.3 six==1.17.0 protobuf==3.20.3
    env/bin/python make.py 'THE-KCL-AND-ITS-JARS/*:jaxb-api-2.3.1.jar' > vectors.jsonl

`cargo kcl daemon` keeps a folder of such jars in its cache. When the KCL logs a part that it cannot read, it needs
javax.xml.bind, which current Java versions do not include (without it, the error ends the shard's task, again and again).
Each line has a record's data, the shard's range of hash keys, and the result of the KCL's AggregatorUtil, run by
Deaggregate.java.
"""

import base64
import hashlib
import json
import pathlib
import subprocess
import sys

from aws_kinesis_agg import MAGIC
from aws_kinesis_agg.aggregator import RecordAggregator
from aws_kinesis_agg.messages_pb2 import AggregatedRecord

ALL = (0, 2**128 - 1)
LOWER = (0, 2**127 - 1)
UPPER = (2**127, 2**128 - 1)


def aggregate(*records):
    """Makes an aggregate with the library, from keys, data and explicit hash keys."""
    aggregator = RecordAggregator()
    for key, data, *hash_key in records:
        assert aggregator.add_user_record(key, data, *hash_key) is None
    return aggregator.clear_and_get().get_contents()[2]


def message(change):
    """Makes a framed message that the library would not make."""
    made = AggregatedRecord()
    made.partition_key_table.extend(["a", "b"])
    made.explicit_hash_key_table.extend(["0", "1"])
    for index in range(3):
        record = made.records.add()
        record.partition_key_index = index % 2
        record.data = b"part %d" % index
    change(made)
    return framed(made.SerializePartialToString())


def framed(body):
    return MAGIC + body + hashlib.md5(body).digest()


def set_key(index):
    return lambda made: setattr(made.records[1], "partition_key_index", index)


def set_hash_key(text, at=1):
    def change(made):
        made.explicit_hash_key_table[1] = text
        made.records[at].explicit_hash_key_index = 1

    return change


def tag(key):
    def change(made):
        added = made.records[0].tags.add()
        added.value = "v"
        if key:
            added.key = key

    return change


three = aggregate(("alice", "first"), ("alice", "second"), ("charlie", "third"))
vectors = [
    ("one part", aggregate(("alice", "only")), ALL),
    ("three parts", three, ALL),
    ("a hundred parts", aggregate(*[(f"key{n % 7}", f"message data {n}") for n in range(100)]), ALL),
    ("bytes that are not text", aggregate(("k", bytes(range(256)))), ALL),
    ("an empty part", aggregate(("k", "")), ALL),
    ("a key beyond ASCII", aggregate(("ключ é 🔑", "x")), ALL),
    ("explicit hash keys", aggregate(("a", "1", "0"), ("a", "2", str(2**128 - 1))), ALL),
    ("some explicit hash keys", aggregate(("a", "1", "7"), ("b", "2"), ("a", "3", "7")), ALL),
    ("all parts in the lower half", aggregate(("alice", "1"), ("k", "2", "5")), LOWER),
    ("a part in the upper half", aggregate(("alice", "1"), ("bob", "2"), ("alice", "3")), LOWER),
    ("the first part in the upper half", aggregate(("bob", "1"), ("alice", "2")), LOWER),
    ("an explicit hash key wins over the key", aggregate(("bob", "1", "5")), LOWER),
    ("a hash key at the lower half's end", aggregate(("k", "1", str(2**127 - 1))), LOWER),
    ("a hash key at the upper half's start", aggregate(("k", "1", str(2**127))), LOWER),
    ("a hash key at the upper half's start, in the upper half", aggregate(("k", "1", str(2**127))), UPPER),
    ("an aggregate in an aggregate", aggregate(("k", three)), ALL),
    ("plain text", b"plain text", ALL),
    ("nothing", b"", ALL),
    ("the magic number alone", MAGIC, ALL),
    ("the magic number and 16 bytes", MAGIC + hashlib.md5(b"").digest(), ALL),
    ("another magic number", b"\xf3\x89\x9a\xc3" + three[4:], ALL),
    ("a plain record of another shard", b"bob's", LOWER),
    ("a flipped bit in the digest", three[:-1] + bytes([three[-1] ^ 1]), ALL),
    ("a flipped bit in the message", three[:9] + bytes([three[9] ^ 1]) + three[10:], ALL),
    ("cut short", three[:-3], ALL),
    ("followed by more", three + b"x", ALL),
    ("not a protobuf message", framed(b"\xff\xff\xff\xff"), ALL),
    ("a message cut short", framed(three[4:-20]), ALL),
    ("no parts", framed(AggregatedRecord(partition_key_table=["k"]).SerializeToString()), ALL),
    ("tags", message(tag("t")), ALL),
    ("a tag without its key", message(tag(None)), ALL),
    ("a part without its key", message(lambda made: made.records[1].ClearField("partition_key_index")), ALL),
    ("a part without data", message(lambda made: made.records[1].ClearField("data")), ALL),
    ("an unknown field", framed(three[4:-16] + b"\x7a\x01x"), ALL),
    ("a key that does not exist", message(set_key(2)), ALL),
    ("a key far outside the table", message(set_key(2**63)), ALL),
    ("a key's number of 33 bits", message(set_key(2**32)), ALL),
    ("a hash key that does not exist", message(lambda made: setattr(made.records[1], "explicit_hash_key_index", 2)), ALL),
    ("a hash key that is not a number", message(set_hash_key("x")), ALL),
    ("an empty hash key", message(set_hash_key("")), ALL),
    ("a hash key with a sign", message(set_hash_key("+5")), ALL),
    ("a hash key with two signs", message(set_hash_key("-+5")), ALL),
    ("a hash key below all shards", message(set_hash_key("-1")), ALL),
    ("a hash key of minus zero", message(set_hash_key("-0")), ALL),
    ("a hash key with leading zeros", message(set_hash_key("0" * 60 + "5")), ALL),
    ("a hash key beyond all shards", message(set_hash_key(str(2**128))), ALL),
    ("a hash key far beyond all shards", message(set_hash_key("9" * 60)), ALL),
    ("a part elsewhere before one that cannot be read", message(lambda made: (set_hash_key("-1", 0)(made), set_key(9)(made))), ALL),
    ("a key that is not UTF-8", framed(b"\x0a\x03a\xffb" + b"\x1a\x05\x08\x00\x1a\x01x"), ALL),
]

lines = [
    {"name": name, "data": base64.b64encode(data).decode(), "range": [str(end) for end in ends]}
    for name, data, ends in vectors
]
java = subprocess.run(
    ["java", "-cp", sys.argv[1], pathlib.Path(__file__).with_name("Deaggregate.java")],
    input="".join(f"{line['data']}\t{line['range'][0]}\t{line['range'][1]}\n" for line in lines),
    stdout=subprocess.PIPE,
    text=True,
    check=True,
)
verdicts = [verdict[2:] for verdict in java.stdout.split("\n") if verdict.startswith("> ")]
for line, verdict in zip(lines, verdicts, strict=True):
    made = [record.split("\t") for record in verdict.split("\x1f")] if verdict else []
    records = [{"sub": int(sub), "key": base64.b64decode(key).decode(), "data": data} for _, sub, key, data in made]
    aggregated = [flag == "true" for flag, *_ in made]
    line["aggregated"] = all(aggregated)
    line["records"] = records if all(aggregated) else []
    print(json.dumps(line, ensure_ascii=False))
