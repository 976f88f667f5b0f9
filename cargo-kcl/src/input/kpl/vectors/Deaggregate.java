import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Base64;
import java.util.List;
import java.util.stream.Collectors;

import software.amazon.kinesis.retrieval.AggregatorUtil;
import software.amazon.kinesis.retrieval.KinesisClientRecord;

/** Has the KCL split records: one line of input per record, with its data and its shard's range; one line of output each. */
public class Deaggregate {
    public static void main(String[] args) throws Exception {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = lines.readLine()) != null;) {
            String[] fields = line.split("\t", -1);
            KinesisClientRecord record = KinesisClientRecord.builder()
                    .data(ByteBuffer.wrap(Base64.getDecoder().decode(fields[0])))
                    .partitionKey("whole")
                    .sequenceNumber("1")
                    .approximateArrivalTimestamp(Instant.EPOCH)
                    .build();
            List<KinesisClientRecord> records =
                    new AggregatorUtil().deaggregate(List.of(record), fields[1], fields[2]);
            // The KCL logs to stdout, too, so results are marked.
            System.out.println("> " + records.stream().map(Deaggregate::show).collect(Collectors.joining("\u001f")));
        }
    }

    private static String show(KinesisClientRecord record) {
        byte[] data = new byte[record.data().remaining()];
        record.data().get(data);
        Base64.Encoder base64 = Base64.getEncoder();
        return record.aggregated() + "\t" + record.subSequenceNumber() + "\t"
                + base64.encodeToString(record.partitionKey().getBytes(StandardCharsets.UTF_8)) + "\t"
                + base64.encodeToString(data);
    }
}
