import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.common.utils.Utils;
import org.apache.kafka.streams.Topology;

/** The goldens that are drawn at random (from one seed, so that they stay the same). */
final class Vectors {
    private Vectors() {
    }

    /** Graphs that nobody would write, through the Processor API: several parents, random names, all sizes. */
    static String randomGraphs() {
        // With this seed each step of the order in src/topology/describe-order.ts shows: leaving one out fails a test.
        final Random random = new Random(12);
        return IntStream.range(0, Integer.getInteger("graphs", 12))
            .mapToObj(i -> randomGraph(random, 5 + 3 * (i % 12)))
            .collect(Collectors.joining(",\n", "[\n", "\n]\n"));
    }

    private static String randomGraph(final Random random, final int size) {
        final Topology topology = new Topology();
        final List<String> lines = new ArrayList<>();
        final List<String> parents = new ArrayList<>();
        for (int i = 0; i < size; i++) {
            final String name = random.nextBoolean() ? String.format("KSTREAM-PEEK-%010d", i) : "n" + random.nextInt(100) + "-" + i;
            final int kind = i == 0 ? 0 : random.nextInt(10);
            final String[] chosen = random.ints(1 + random.nextInt(3), 0, Math.max(1, parents.size()))
                .distinct().mapToObj(p -> parents.isEmpty() ? "" : parents.get(p)).toArray(String[]::new);
            if (kind == 0) {
                final String[] topics = random.ints(1 + random.nextInt(6), 0, 10_000).distinct().mapToObj(t -> "t" + t + "." + name).toArray(String[]::new);
                topology.addSource(name, topics);
                lines.add(json("role", "source", "name", name, "topics", List.of(topics)));
            } else if (kind < 8) {
                topology.addProcessor(name, Goldens.Nothing::new, chosen);
                lines.add(json("role", "processor", "name", name, "parents", List.of(chosen)));
            } else {
                topology.addSink(name, "out", chosen);
                lines.add(json("role", "sink", "name", name, "parents", List.of(chosen), "topic", "out"));
            }
            if (kind < 8) {
                parents.add(name);
            }
        }
        return lines.stream().collect(Collectors.joining(",\n      ", "  {\n    \"nodes\": [\n      ", "\n    ],\n"))
            + "    \"text\": " + quote(topology.describe().toString()) + "\n  }";
    }

    static String murmur2() {
        final Random random = new Random(42);
        final List<byte[]> keys = new ArrayList<>();
        for (final String text : List.of("", "a", "ab", "abc", "abcd", "INFERENCE", "fashion", "{\"start_idx\":0}", "für", "日本", "🙂")) {
            keys.add(text.getBytes(StandardCharsets.UTF_8));
        }
        for (final int fill : new int[] {0x00, 0x7f, 0x80, 0xff}) {
            for (int length = 1; length <= 9; length++) {
                final byte[] key = new byte[length];
                Arrays.fill(key, (byte) fill);
                keys.add(key);
            }
        }
        for (int i = 0; i < 153; i++) {
            final byte[] key = new byte[i < 120 ? 1 + i % 12 : 13 + random.nextInt(120)];
            random.nextBytes(key);
            keys.add(key);
        }
        final int[] counts = {1, 2, 3, 6, 7, 16, 50, 1000};
        return keys.stream().map(key -> vector(key, counts)).collect(Collectors.joining(",\n",
            "{\n  \"partitionCounts\": " + spaced(IntStream.of(counts)) + ",\n  \"vectors\": [\n", "\n  ]\n}\n"));
    }

    private static String vector(final byte[] key, final int[] counts) {
        final int hash = Utils.murmur2(key);
        return "    { \"key\": \"" + HexFormat.of().formatHex(key) + "\", \"hash\": " + hash + ", \"partitions\": "
            + spaced(IntStream.of(counts).map(count -> Utils.toPositive(hash) % count)) + " }";
    }

    private static String spaced(final IntStream numbers) {
        return numbers.mapToObj(Integer::toString).collect(Collectors.joining(", ", "[", "]"));
    }

    private static String json(final Object... pairs) {
        return IntStream.range(0, pairs.length / 2).mapToObj(i -> quote((String) pairs[2 * i]) + ": "
            + (pairs[2 * i + 1] instanceof List<?> list
                ? list.stream().map(item -> quote((String) item)).collect(Collectors.joining(", ", "[", "]"))
                : quote((String) pairs[2 * i + 1]))).collect(Collectors.joining(", ", "{ ", " }"));
    }

    private static String quote(final String text) {
        return '"' + text.replace("\n", "\\n") + '"';
    }
}
