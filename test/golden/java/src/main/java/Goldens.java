import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Branched;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Named;
import org.apache.kafka.streams.kstream.Printed;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.RecordContext;
import org.apache.kafka.streams.processor.TopicNameExtractor;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.Record;

/** Writes what Kafka Streams itself says, for the tests of describe() and murmur2: see ../README.md. */
public final class Goldens {
    private static final Map<String, Consumer<StreamsBuilder>> TOPOLOGIES = new LinkedHashMap<>();

    static {
        TOPOLOGIES.put("empty", b -> { });
        TOPOLOGIES.put("source-to-sink", b -> in(b).to("out"));
        TOPOLOGIES.put("linear", b -> in(b).filter((k, v) -> true).mapValues(v -> v).to("out"));
        TOPOLOGIES.put("every-operator", Goldens::everyOperator);
        TOPOLOGIES.put("named-operators", Goldens::namedOperators);
        TOPOLOGIES.put("some-named", Goldens::someNamed);
        TOPOLOGIES.put("split-unnamed", Goldens::splitUnnamed);
        TOPOLOGIES.put("split-named", Goldens::splitNamed);
        TOPOLOGIES.put("split-no-default", Goldens::splitNoDefault);
        TOPOLOGIES.put("split-uneven", Goldens::splitUneven);
        TOPOLOGIES.put("merge", Goldens::merge);
        TOPOLOGIES.put("merge-named", Goldens::mergeNamed);
        TOPOLOGIES.put("diamond", Goldens::diamond);
        TOPOLOGIES.put("nested-diamonds", Goldens::nestedDiamonds);
        TOPOLOGIES.put("branch-merge", Goldens::branchMerge);
        TOPOLOGIES.put("two-sub-topologies", Goldens::twoSubTopologies);
        TOPOLOGIES.put("multi-topic-source", Goldens::multiTopicSource);
        TOPOLOGIES.put("dynamic-sink", Goldens::dynamicSink);
        TOPOLOGIES.put("process", Goldens::process);
        TOPOLOGIES.put("fan-out", Goldens::fanOut);
        TOPOLOGIES.put("wide", Goldens::wide);
    }

    public static void main(final String[] args) throws IOException {
        final Path root = Path.of(args[0]);
        final Path folder = Files.createDirectories(root.resolve("topologies"));
        for (final Map.Entry<String, Consumer<StreamsBuilder>> entry : TOPOLOGIES.entrySet()) {
            final StreamsBuilder builder = new StreamsBuilder();
            entry.getValue().accept(builder);
            Files.writeString(folder.resolve(entry.getKey() + ".txt"), builder.build().describe().toString());
        }
        Files.writeString(root.resolve("random.json"), Vectors.randomGraphs());
        Files.writeString(root.resolve("murmur2.json"), Vectors.murmur2());
    }

    private static KStream<String, String> in(final StreamsBuilder b) {
        return b.stream("in");
    }

    private static void everyOperator(final StreamsBuilder b) {
        final KStream<String, String> end = in(b)
            .map((k, v) -> KeyValue.pair(k, v))
            .mapValues(v -> v)
            .flatMap((k, v) -> List.of(KeyValue.pair(k, v)))
            .flatMapValues(v -> List.of(v))
            .filter((k, v) -> true)
            .filterNot((k, v) -> false)
            .selectKey((k, v) -> k)
            .peek((k, v) -> { })
            .process(Nothing::new);
        end.foreach((k, v) -> { });
        end.print(Printed.toSysOut());
        end.to("out");
        end.to(new ByRegion());
    }

    private static void namedOperators(final StreamsBuilder b) {
        final KStream<String, String> start = b.stream("in", Consumed.as("requests"));
        final KStream<String, String> end = start
            .map((k, v) -> KeyValue.pair(k, v), Named.as("map"))
            .mapValues(v -> v, Named.as("map-values"))
            .flatMap((k, v) -> List.of(KeyValue.pair(k, v)), Named.as("flat-map"))
            .flatMapValues(v -> List.of(v), Named.as("flat-map-values"))
            .filter((k, v) -> true, Named.as("filter"))
            .filterNot((k, v) -> false, Named.as("filter-not"))
            .selectKey((k, v) -> k, Named.as("select-key"))
            .peek((k, v) -> { }, Named.as("peek"))
            .process(Nothing::new, Named.as("process"));
        end.foreach((k, v) -> { }, Named.as("for.each"));
        end.print(Printed.<String, String>toSysOut().withName("print"));
        end.to("out", Produced.as("results"));
        end.to(new ByRegion(), Produced.as("by_region"));
    }

    /** A name takes the place of the text, but the number is used up all the same. */
    private static void someNamed(final StreamsBuilder b) {
        final KStream<String, String> start = b.stream("in", Consumed.as("requests"));
        start.filter((k, v) -> true, Named.as("valid")).mapValues(v -> v).peek((k, v) -> { }, Named.as("look")).to("out");
        start.foreach((k, v) -> { });
    }

    private static void splitUnnamed(final StreamsBuilder b) {
        final Map<String, KStream<String, String>> branches =
            in(b).split().branch((k, v) -> true).branch((k, v) -> true).defaultBranch();
        branches.get("KSTREAM-BRANCH-00000000011").to("one");
        branches.get("KSTREAM-BRANCH-00000000012").to("two");
        branches.get("KSTREAM-BRANCH-00000000010").to("rest");
    }

    private static void splitNamed(final StreamsBuilder b) {
        final Map<String, KStream<String, String>> branches = in(b).split(Named.as("size-"))
            .branch((k, v) -> true, Branched.as("small"))
            .branch((k, v) -> true)
            .defaultBranch(Branched.as("rest"));
        branches.get("size-small").mapValues(v -> v).to("one");
        branches.get("size-2").to("two");
        branches.get("size-rest").to("rest");
    }

    /** A chain within a branch takes its numbers before the next branch does. */
    private static void splitNoDefault(final StreamsBuilder b) {
        final KStream<String, String> start = in(b);
        start.split(Named.as("s-"))
            .branch((k, v) -> true, Branched.withConsumer(s -> s.peek((k, v) -> { }).to("one")))
            .branch((k, v) -> true, Branched.withConsumer(s -> s.to("two"), "second"))
            .noDefaultBranch();
        start.to("copy");
    }

    /** Branches of unlike length: the order of the successors is that of the moment at which each was linked. */
    private static void splitUneven(final StreamsBuilder b) {
        final Map<String, KStream<String, String>> branches = in(b).split(Named.as("kind-"))
            .branch((k, v) -> true, Branched.as("a"))
            .branch((k, v) -> true, Branched.as("b"))
            .branch((k, v) -> true, Branched.as("c"))
            .defaultBranch(Branched.as("d"));
        branches.get("kind-a").to("a");
        branches.get("kind-b").mapValues(v -> v).filter((k, v) -> true).to("b");
        branches.get("kind-c").mapValues(v -> v).to("c");
        branches.get("kind-d").mapValues(v -> v).filter((k, v) -> true).peek((k, v) -> { }).to("d");
    }

    private static void merge(final StreamsBuilder b) {
        final KStream<String, String> first = b.stream("zebra");
        final KStream<String, String> second = b.stream("ant");
        final KStream<String, String> third = b.stream("bee");
        second.merge(first).merge(third).to("out");
    }

    private static void mergeNamed(final StreamsBuilder b) {
        final KStream<String, String> first = b.stream("one", Consumed.as("z"));
        final KStream<String, String> second = b.stream("two", Consumed.as("a"));
        first.merge(second.mapValues(v -> v), Named.as("both")).peek((k, v) -> { }).to("out");
    }

    private static void diamond(final StreamsBuilder b) {
        final KStream<String, String> start = in(b);
        start.filter((k, v) -> true).merge(start.filterNot((k, v) -> true).mapValues(v -> v)).to("out");
    }

    /** A node below two paths counts twice: eight nodes in diamonds are "larger" than a chain of ten. */
    private static void nestedDiamonds(final StreamsBuilder b) {
        final KStream<String, String> start = in(b);
        KStream<String, String> chain = start;
        for (int i = 0; i < 10; i++) {
            chain = chain.peek((k, v) -> { });
        }
        final KStream<String, String> first = start.peek((k, v) -> { }, Named.as("top"));
        final KStream<String, String> second = first.filter((k, v) -> true).merge(first.filterNot((k, v) -> true));
        second.filter((k, v) -> true).merge(second.filterNot((k, v) -> true)).to("out");
    }

    private static void branchMerge(final StreamsBuilder b) {
        final Map<String, KStream<String, String>> branches = in(b).split(Named.as("by-size-"))
            .branch((k, v) -> true, Branched.as("large"))
            .defaultBranch(Branched.as("small"));
        branches.get("by-size-large").flatMapValues(v -> List.of(v)).mapValues(v -> v)
            .merge(branches.get("by-size-small").mapValues(v -> v))
            .to("out");
    }

    /** A topic that one part writes and another reads does not make them one sub-topology. */
    private static void twoSubTopologies(final StreamsBuilder b) {
        final KStream<String, String> first = b.stream("raw");
        final KStream<String, String> second = b.stream("clean");
        second.mapValues(v -> v).to("out");
        first.filter((k, v) -> true).to("clean");
    }

    private static void multiTopicSource(final StreamsBuilder b) {
        b.<String, String>stream(List.of("zeta", "alpha", "INFERENCE", "beta.1", "beta.2", "alpha")).to("out");
        b.<String, String>stream(IntStream.range(0, 15).mapToObj(i -> "topic-" + i).toList()).to("out");
    }

    private static void dynamicSink(final StreamsBuilder b) {
        in(b).mapValues(v -> v).to(new ByRegion());
    }

    private static void process(final StreamsBuilder b) {
        final KStream<String, String> start = in(b);
        start.process(Nothing::new).to("out");
        start.process(Nothing::new, Named.as("audit"));
    }

    private static void fanOut(final StreamsBuilder b) {
        final KStream<String, String> start = in(b);
        start.to("copy");
        start.peek((k, v) -> { }).peek((k, v) -> { }).to("long");
        start.filter((k, v) -> true).to("short");
        start.filterNot((k, v) -> true).to("short");
        start.foreach((k, v) -> { });
    }

    /** Twelve children, some with children of their own: many equal sub-tree sizes, names that sort as text. */
    private static void wide(final StreamsBuilder b) {
        final KStream<String, String> start = in(b);
        for (int i = 0; i < 12; i++) {
            KStream<String, String> stream = start.peek((k, v) -> { }, Named.as("n" + i));
            for (int j = 0; j < i * 5 % 4; j++) {
                stream = stream.mapValues(v -> v);
            }
            stream.to("out-" + i);
        }
    }

    /** Its text is what describe() prints, so it must not be an object's address. */
    private static final class ByRegion implements TopicNameExtractor<String, String> {
        @Override
        public String extract(final String key, final String value, final RecordContext context) {
            return value;
        }

        @Override
        public String toString() {
            return "byRegion";
        }
    }

    static final class Nothing implements Processor<String, String, String, String> {
        @Override
        public void process(final Record<String, String> record) {
        }
    }
}
