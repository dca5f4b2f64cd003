using System.Text.Json;
using Apache.Arrow;
using Apache.Arrow.Ipc;
using Apache.Arrow.Types;
using Fovea.Data.Datasets;
using Fovea.Data.Sampling;
using Fovea.Data.Streaming;
using Fovea.Training.Config;
using ParquetSharp;
using Column = ParquetSharp.Column<string>;

namespace Fovea.Tests.Unit.Data;

/// <summary>Rows found while training: in the order of Hugging Face's datasets, from every kind of file, and the same from any step on.</summary>
public sealed class StreamingTests : IDisposable
{
    private static readonly Dictionary<string, MixStrategy> Strategies = new()
    {
        ["first_exhausted"] = MixStrategy.InterleaveUnder,
        ["all_exhausted"] = MixStrategy.InterleaveOver,
        ["all_exhausted_without_replacement"] = MixStrategy.InterleaveOnce,
    };

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };
    private readonly TempFolder folder = new();
    private readonly string? cache = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");

    public StreamingTests() => Environment.SetEnvironmentVariable("XDG_CACHE_HOME", Path.Combine(folder.Root, "cache"));

    public static TheoryData<int> Streams => [.. Enumerable.Range(0, Golden().Count / 3)];

    public void Dispose()
    {
        Environment.SetEnvironmentVariable("XDG_CACHE_HOME", cache);
        folder.Dispose();
    }

    [Theory]
    [MemberData(nameof(Streams))]
    public void Rows_are_mixed_and_shuffled_as_datasets_does_pass_after_pass(int number)
    {
        var passes = Golden().Skip(3 * number).Take(3).ToList();
        var item = passes[0];
        var lengths = Numbers(item, "lengths");
        var options = new DataOptions
        {
            Dataset = [.. lengths.Select((length, i) => Write($"d{i}.jsonl", lengths.Take(i).Sum(), length))],
            DatasetDir = folder.Root,
            BufferSize = item.GetProperty("buffer").GetInt32(),
            Seed = item.GetProperty("seed").GetInt64(),
            MixStrategy = item.GetProperty("strategy").GetString() is { } strategy ? Strategies[strategy] : MixStrategy.Concat,
            InterleaveProbs = item.GetProperty("probabilities") is { ValueKind: JsonValueKind.Array } list
                ? [.. list.EnumerateArray().Select(n => n.GetDouble())]
                : [],
        };
        using var stream = new SampleStream(options, Order(1), samplesAhead: 4);
        var step = 0;
        foreach (var pass in passes)
        {
            var order = Enumerable.Range(0, pass.GetProperty("count").GetInt32())
                .Select(_ => Answer(stream, Assert.Single(stream.BatchesOf(step++))[0])).ToList();
            var first = Numbers(pass, "order");
            Assert.Equal(first, order.Take(first.Length));
            Assert.Equal(Numbers(pass, "tail"), order.TakeLast(20));
            Assert.Equal(pass.GetProperty("epoch").GetInt32(), Assert.Single(stream.EpochsOf(step - 1)));
        }
    }

    [Theory]
    [InlineData(null, 1)]
    [InlineData("all_exhausted", 5)]
    [InlineData("first_exhausted", 1000)]
    [InlineData("all_exhausted_without_replacement", 9)]
    public void From_any_step_on_it_is_the_same_stream(string? strategy, int buffer)
    {
        var options = Two(strategy is null ? MixStrategy.Concat : Strategies[strategy]) with { BufferSize = buffer };
        var order = Order(2) with { Accumulation = 2 };
        using var whole = new SampleStream(options, order, 4, samplesBetweenStates: 8);
        var steps = new List<int[]>();
        var states = new List<string>();
        for (var step = 0; step < 40; step++)
        {
            steps.Add([.. whole.BatchesOf(step).SelectMany(batch => batch).Select(index => Answer(whole, index))]);
            StreamStateFile.Write(folder.Root, whole.StateAt(step));
            states.Add(File.ReadAllText(folder[StreamStateFile.FileName]));
        }

        Assert.True(states.Distinct().Count() > 10);
        foreach (var step in new[] { 0, 1, 7, 20, 39 })
        {
            folder.Write(StreamStateFile.FileName, states[step]);
            using var resumed = new SampleStream(options, order, 4, samplesBetweenStates: 8);
            resumed.GoTo(step, folder.Root);
            for (var s = step; s < 40; s++)
            {
                Assert.Equal(steps[s], resumed.BatchesOf(s).SelectMany(batch => batch).Select(index => Answer(resumed, index)));
            }
        }
    }

    [Fact]
    public void Few_states_are_kept_where_a_buffer_is_large_and_none_where_none_is_asked_for()
    {
        // Places of 19 rows are more than the bytes allowed: two states are kept then.
        var options = Two(MixStrategy.InterleaveOver) with { BufferSize = 16 };
        using var whole = new SampleStream(options, Order(2), 4, samplesBetweenStates: 1, stateBytes: 1);
        using var silent = new SampleStream(options, Order(2), 4, keepsStates: false, samplesBetweenStates: 1);
        using var frequent = new SampleStream(options, Order(2), 4, samplesBetweenStates: 1);
        var steps = new List<int[]>();
        var states = new List<StreamState>();
        for (var step = 0; step < 120; step++)
        {
            steps.Add(Samples(whole, step));
            states.Add(whole.StateAt(Math.Max(0, step - 16)));
            Assert.Equal(steps[^1], Samples(silent, step));
            Assert.Equal(steps[^1], Samples(frequent, step));
            Assert.InRange(whole.StatesKept, 1, 2);
        }

        Assert.Equal((0, true), (silent.StatesKept, frequent.StatesKept > 10));
        Assert.Throws<InvalidOperationException>(() => silent.StateAt(119));
        foreach (var step in new[] { 30, 75, 119 })
        {
            using var resumed = new SampleStream(options, Order(2), 4, stateBytes: 1);
            resumed.GoTo(step - 16, states[step]);
            Assert.Equal(steps[step - 16], Samples(resumed, step - 16));
        }

        static int[] Samples(SampleStream stream, int step) => [.. stream.BatchesOf(step).SelectMany(batch => batch).Select(index => Answer(stream, index))];
    }

    [Fact]
    public void A_step_has_the_same_samples_on_any_number_of_ranks()
    {
        var options = Two(MixStrategy.InterleaveOver) with { BufferSize = 6 };
        using var alone = new SampleStream(options, Order(4), 4);
        using var first = new SampleStream(options, Order(2) with { WorldSize = 2 }, 4);
        using var second = new SampleStream(options, Order(2) with { WorldSize = 2, Rank = 1 }, 4);
        for (var step = 0; step < 30; step++)
        {
            int[] parts = [.. Answers(first, step), .. Answers(second, step)];
            Assert.Equal(Answers(alone, step), parts);
        }

        static int[] Answers(SampleStream stream, int step) => [.. stream.BatchesOf(step).SelectMany(batch => batch).Select(index => Answer(stream, index))];
    }

    [Fact]
    public void Every_kind_of_file_gives_the_same_rows()
    {
        string[] questions = ["Q", "with \"quotes\", [brackets] and {braces}", "a\nline \\ break", "é", "last"];
        var rows = questions.Select((question, i) => new { instruction = question, output = $"{i}" }).ToList();
        folder.Write("a.jsonl", "\uFEFF" + string.Join("\r\n \n", rows.Select(row => JsonSerializer.Serialize(row))));
        folder.Write("a.json", JsonSerializer.Serialize(rows, Indented));
        var records = rows.Select(row => $"\"{row.instruction.Replace("\"", "\"\"")}\",{row.output}\r\n");
        folder.Write("a.csv", "instruction,output\r\n" + string.Concat(records));
        using (var file = new ParquetFileWriter(folder.File("a.parquet"), [new Column("instruction"), new Column("output")]))
        {
            foreach (var part in rows.Chunk(2))
            {
                using var group = file.AppendRowGroup();
                using (var column = group.NextColumn().LogicalWriter<string>())
                {
                    column.WriteBatch([.. part.Select(row => row.instruction)]);
                }

                using (var column = group.NextColumn().LogicalWriter<string>())
                {
                    column.WriteBatch([.. part.Select(row => row.output)]);
                }
            }

            file.Close();
        }

        Arrow("a.arrow", [.. rows.Select(row => (row.instruction, row.output))]);
        using (var tar = new System.Formats.Tar.TarWriter(File.Create(folder.File("a.tar"))))
        {
            foreach (var (row, i) in rows.Select((row, i) => (row, i)))
            {
                tar.WriteEntry(new System.Formats.Tar.PaxTarEntry(System.Formats.Tar.TarEntryType.RegularFile, $"{i}.json")
                {
                    DataStream = new MemoryStream(JsonSerializer.SerializeToUtf8Bytes(row)),
                });
            }
        }

        foreach (var ending in new[] { "jsonl", "json", "csv", "parquet", "arrow", "tar" })
        {
            using var stream = new SampleStream(Options($"a.{ending}") with { DisableShuffling = true }, Order(1), 4, samplesBetweenStates: 1);
            for (var step = 0; step < 12; step++)
            {
                var sample = stream[Assert.Single(stream.BatchesOf(step))[0]];
                Assert.Equal((questions[step % 5], $"{step % 5}"), Assert.Single(sample.Turns()));
                Assert.Equal((step % 5) + 1, sample.Origin!.Row);
            }

            using var resumed = new SampleStream(Options($"a.{ending}") with { DisableShuffling = true }, Order(1), 4);
            resumed.GoTo(8, stream.StateAt(8));
            Assert.Equal(3, Answer(resumed, resumed.BatchesOf(8)[0][0]));
        }
    }

    [Fact]
    public void Files_follow_one_another_and_what_is_damaged_stops_the_run_there()
    {
        Write("f/1.jsonl", 0, 3);
        folder.Write("f/2.jsonl", "\n");
        Write("f/3.jsonl", 3, 2);
        using (var stream = new SampleStream(Options("f/") with { DisableShuffling = true }, Order(1), 4))
        {
            Assert.Equal([0, 1, 2, 3, 4, 0], Enumerable.Range(0, 6).Select(step => Answer(stream, stream.BatchesOf(step)[0][0])));
            Assert.Equal("3.jsonl, there row 1", stream.Place(new BadSample("f/", 4, "x"), 3).Place);
        }

        var row = """{"instruction":"Q","output":"1"}""";
        foreach (var (text, problem) in new[]
        {
            ($"[{row}, {row}", "the list ends without ]"), ($"[{row} {row}]", "a comma or ] belongs"), ($"[{row}, {row[..^3]}", "the list ends within a row"),
            ($"[{row},]", "a comma stands before the end"), ("# no\n", "begins with a comment"), ("[]", "has no rows"),
        })
        {
            folder.Write("bad.json", text);
            var error = Assert.Throws<ConfigException>(() => new SampleStream(Options("bad.json"), Order(1), 4).Dispose());
            Assert.Contains(error.Problems, one => one.Contains("bad.json", StringComparison.Ordinal) && one.Contains(problem, StringComparison.Ordinal));
        }
    }

    [Fact]
    public void Bad_rows_show_at_the_beginning_or_when_they_come()
    {
        Write("long.jsonl", 0, 100);
        File.AppendAllText(folder.File("long.jsonl"), "\n{\"instruction\":\"Q\",\"output\":\"\"}");
        using (var stream = new SampleStream(Options("long.jsonl") with { DisableShuffling = true }, Order(101), 4))
        {
            var index = stream.BatchesOf(0)[0][100];
            Assert.Contains("dataset 'long.jsonl', row 101: the answer is empty", Assert.Throws<BadSampleException>(() => stream[index]).Message);
        }

        folder.Write("short.jsonl", "{\"instruction\":\"Q\",\"output\":\"\"}\n{\"instruction\":\"Q\",\"output\":\"7\",\"more\":1}");
        var refused = Assert.Throws<ConfigException>(() => new SampleStream(Options("short.jsonl"), Order(1), 4).Dispose());
        Assert.StartsWith("dataset 'short.jsonl', row 1: the answer is empty", Assert.Single(refused.Problems));
        using var skipped = new SampleStream(Options("short.jsonl") with { OnBadSample = BadSamplePolicy.Skip }, Order(1), 4);
        Assert.Equal("dataset 'short.jsonl': nothing reads the column 'more' (of its first 2 rows)", Assert.Single(skipped.Notices));
    }

    [Fact]
    public void A_state_of_other_data_is_refused()
    {
        var options = Two(MixStrategy.Concat);
        using var stream = new SampleStream(options, Order(1), 4);
        stream.BatchesOf(0);
        var state = stream.StateAt(0);
        using (var other = new SampleStream(options with { BufferSize = 3 }, Order(1), 4))
        {
            Assert.Contains("buffer_size", Assert.Throws<ConfigException>(() => other.GoTo(0, state)).Message);
        }

        using (var turned = new SampleStream(options with { Dataset = [.. options.Dataset.Reverse()] }, Order(1), 4))
        {
            Assert.Contains("then a.jsonl", Assert.Throws<ConfigException>(() => turned.GoTo(0, state)).Message);
        }

        File.AppendAllText(folder.File("a.jsonl"), "\n");
        using var changed = new SampleStream(options, Order(1), 4);
        Assert.Contains("a.jsonl", Assert.Throws<ConfigException>(() => changed.GoTo(0, state)).Message);
        Assert.Contains("made without streaming", Assert.Throws<ConfigException>(() => changed.GoTo(0, folder.Root)).Message);
        folder.Write(StreamStateFile.FileName, "{\"step\": 1}");
        Assert.Contains("is damaged", Assert.Throws<ConfigException>(() => changed.GoTo(0, folder.Root)).Message);
    }

    [Theory]
    [InlineData("streaming: true needs max_steps")]
    [InlineData("max_samples exclude each other", "max_steps: 4", "max_samples: 3")]
    [InlineData("name held-out rows in eval_dataset", "max_steps: 4", "val_size: 3")]
    [InlineData("no epochs of a known length", "max_steps: 4", "save_strategy: epoch")]
    [InlineData("takes at most 1,073,741,823 samples in a run", "max_steps: 1000000", "per_device_train_batch_size: 2000")]
    [InlineData("cannot draw another row", "max_steps: 4", "on_bad_sample: resample")]
    public void What_a_stream_cannot_do_is_refused(string problem, params string[] lines)
    {
        var yaml = "model_name_or_path: m\ndataset: a\noutput_dir: out\nstreaming: true\n" + string.Join('\n', lines);
        Assert.Contains(Assert.Throws<ConfigException>(() => TrainConfig.Parse(yaml, "test")).Problems, one => one.Contains(problem, StringComparison.Ordinal));
        var config = TrainConfig.Parse("model_name_or_path: m\ndataset: a\noutput_dir: out\nstreaming: true\nmax_steps: 5\nbuffer_size: 128", "test");
        Assert.Equal((true, 128), (config.Data.Streaming, config.Data.BufferSize));
    }

    [Fact]
    public void Samples_of_all_ranks_are_counted_once_their_number_is_known()
    {
        const string yaml = "model_name_or_path: m\ndataset: a\noutput_dir: out\nstreaming: true\nmax_steps: 1000000\nper_device_train_batch_size: 32\n"
            + "gradient_accumulation_steps: 1\nsequence_parallel_size: ";
        TrainConfig.Parse($"{yaml}1", "test").CheckRanks(32);
        TrainConfig.Parse($"{yaml}4", "test").CheckRanks(128);
        Assert.Equal(
            "streaming: true takes at most 1,073,741,823 samples in a run, and max_steps asks for 4,096,000,000, 4,096 a step; lower max_steps to 262,143",
            Assert.Throws<ConfigException>(() => TrainConfig.Parse($"{yaml}1", "test").CheckRanks(128)).Message);
    }

    [Fact]
    [Trait("Category", "Long")]
    public void Three_hundred_megabytes_take_a_buffer_of_places_and_no_more()
    {
        const long megabyte = 1 << 20;
        var path = folder.File("large.jsonl");
        var text = new string('x', 3000);
        var rows = 0;
        using (var file = new StreamWriter(path))
        {
            for (; file.BaseStream.Length < 300 * megabyte; rows++)
            {
                file.WriteLine($$"""{"instruction":"{{text}}","output":"{{rows}}"}""");
            }
        }

        var before = GC.GetTotalMemory(forceFullCollection: true);
        var watch = System.Diagnostics.Stopwatch.StartNew();
        using var stream = new SampleStream(Options("large.jsonl") with { BufferSize = 16384 }, Order(8), 32);
        var seen = new HashSet<int>(stream.BatchesOf(0)[0].Select(index => Answer(stream, index)));
        var first = watch.Elapsed;
        var most = 0L;
        for (var step = 1; step < rows / 8; step++)
        {
            seen.UnionWith(stream.BatchesOf(step)[0].Select(index => Answer(stream, index)));
            if (step % 2000 == 0)
            {
                most = Math.Max(most, GC.GetTotalMemory(forceFullCollection: true) - before);
            }
        }

        Assert.Equal(rows / 8 * 8, seen.Count);
        Assert.True(most < 32 * megabyte, $"{most / megabyte} MiB are held of {new FileInfo(path).Length / megabyte}");
        Assert.True(first < TimeSpan.FromSeconds(10), $"the first step came after {first}");
    }

    private static List<JsonElement> Golden() =>
        [.. JsonDocument.Parse(File.ReadAllText(TestFiles.Golden("mixing/mixing.json"))).RootElement.GetProperty("streams").EnumerateArray()];

    private static int[] Numbers(JsonElement item, string name) => [.. item.GetProperty(name).EnumerateArray().Select(n => n.GetInt32())];

    private static int Answer(SampleStream stream, int index) => int.Parse(stream[index].Turns()[^1].Assistant);

    private static OrderOptions Order(int batch) => new() { Samples = 1, BatchSize = batch };

    private DataOptions Options(params string[] names) => new() { Dataset = names, DatasetDir = folder.Root };

    private DataOptions Two(MixStrategy strategy) => Options(Write("a.jsonl", 0, 13), Write("b.jsonl", 13, 6)) with
    {
        MixStrategy = strategy,
        InterleaveProbs = strategy == MixStrategy.Concat ? [] : [0.6, 0.4],
    };

    private string Write(string name, int first, int rows)
    {
        folder.Write(name, string.Join('\n', Enumerable.Range(first, rows).Select(i => $$"""{"instruction":"Q{{i}}","output":"{{i}}"}""")));
        return name;
    }

    private void Arrow(string name, (string Question, string Answer)[] rows)
    {
        var schema = new Schema(
            [new Apache.Arrow.Field("instruction", StringType.Default, true), new Apache.Arrow.Field("output", StringType.Default, true)], null);
        using var file = File.Create(folder.File(name));
        using var writer = new ArrowStreamWriter(file, schema);
        foreach (var part in rows.Chunk(2))
        {
            writer.WriteRecordBatch(new RecordBatch(
                schema,
                [
                    new StringArray.Builder().AppendRange(part.Select(row => row.Question)).Build(),
                    new StringArray.Builder().AppendRange(part.Select(row => row.Answer)).Build(),
                ],
                part.Length));
        }

        writer.WriteEnd();
    }
}
