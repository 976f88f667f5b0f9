"""Reads a page of metrics with Prometheus's own parser, checks what the parser leaves to its caller, and prints a summary as JSON."""

import json
import sys

from prometheus_client.parser import text_string_to_metric_families

shards, kinds, settled = set(), {}, 0
for family in text_string_to_metric_families(sys.stdin.read()):
    assert family.name not in kinds, f"{family.name} is there twice"
    assert family.documentation, f"{family.name} has no help"
    kinds[family.name] = family.type
    buckets, seen = {}, set()
    for sample in family.samples:
        key = (sample.name, tuple(sorted(sample.labels.items())))
        assert key not in seen, f"{key} is there twice"
        seen.add(key)
        shard = sample.labels.get("messaging_destination_partition_id")
        if shard:
            shards.add(shard)
        if sample.name == "kcl_settled_records_total":
            settled += sample.value
        if sample.name.endswith("_bucket"):
            buckets.setdefault(shard, []).append((float(sample.labels["le"]), sample.value))
        if sample.name.endswith("_count"):
            bounds, counts = zip(*buckets[shard])
            assert list(bounds) == sorted(set(bounds)) and bounds[-1] == float("inf"), f"the bounds of {key}"
            assert list(counts) == sorted(counts) and counts[-1] == sample.value, f"the buckets of {key}"
print(json.dumps({"shards": len(shards), "kinds": kinds, "settled": settled}))
