package kcl.conformance;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import software.amazon.kinesis.retrieval.KinesisClientRecord;

/** The records of a scenario. */
final class Records {
    private Records() {}

    static List<KinesisClientRecord> expand(JsonNode records) {
        List<KinesisClientRecord> expanded = new ArrayList<>();
        for (JsonNode record : records) {
            expanded.add(KinesisClientRecord.builder()
                    .sequenceNumber(record.get("sequenceNumber").textValue())
                    .subSequenceNumber(record.get("subSequenceNumber").longValue())
                    .partitionKey(record.get("partitionKey").textValue())
                    .approximateArrivalTimestamp(
                            record.get("arrival").isNull()
                                    ? null
                                    : Instant.ofEpochMilli(record.get("arrival").longValue()))
                    .data(data(record))
                    .build());
        }
        return expanded;
    }

    /** The data of a record: decoded from base64, generated if a number of bytes is given, or null. */
    private static ByteBuffer data(JsonNode record) {
        JsonNode data = record.get("data");
        if (data.isNull()) {
            return null;
        }
        if (data.isTextual()) {
            return ByteBuffer.wrap(Base64.getDecoder().decode(data.textValue()));
        }
        byte[] bytes = new byte[data.intValue()];
        int seed = record.get("sequenceNumber").hashCode();
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) (seed + i * 31 + (i >> 8));
        }
        return ByteBuffer.wrap(bytes);
    }

    /** Describes a record that the child should get, in the format in which the processors under test report records. */
    static void describe(KinesisClientRecord record, ObjectNode to) {
        byte[] data = record.data() == null ? new byte[0] : record.data().array();
        to.put("sequence", record.sequenceNumber());
        to.put("sub", record.subSequenceNumber());
        to.put("key", record.partitionKey());
        if (record.approximateArrivalTimestamp() == null) {
            to.putNull("arrival");
        } else {
            to.put("arrival", record.approximateArrivalTimestamp().toEpochMilli());
        }
        to.put("bytes", data.length);
        to.put("fnv", Long.toHexString(fnv(data)));
    }

    /** The 64-bit FNV-1a hash: enough to detect a changed byte, and four lines in any language. */
    private static long fnv(byte[] data) {
        long hash = 0xcbf29ce484222325L;
        for (byte one : data) {
            hash = (hash ^ (one & 0xff)) * 0x100000001b3L;
        }
        return hash;
    }
}
