using System.Buffers.Binary;
using System.Text;
using Fovea.Events;
using Fovea.Runs.Events;
using Fovea.Runs.Files;

namespace Fovea.Tests.Unit.Runs;

public sealed class RunFileTests
{
    private static readonly DateTimeOffset Start = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    [Fact]
    public void The_trainer_log_has_the_shape_of_LLaMA_Factory()
    {
        using var folder = new TempFolder();
        using (var sink = new TrainerLogSink(folder.Path))
        {
            sink.Write(Started(folder, totalSteps: 204));
            sink.Write(new StepLogged(10, 204, 1.2345, 0.9, 4.5e-5, 0.14678899082568808) { Time = Start.AddSeconds(35.7) });
            sink.Write(new StepLogged(20, 204, 1.1, 0.8, 1e-4, 0.29) { Time = Start.AddSeconds(70), TotalTokens = 7000, TokensPerSecond = 99.999 });
            sink.Write(new Evaluated(100, 204, 1.5, 0.75, 2, 10, 10) { Time = Start.AddSeconds(100000) });
            sink.Write(new RunFinished(204, 3, 1, 7100) { Time = Start.AddSeconds(7100) });
        }

        Assert.Equal(
            [
                """{"current_steps": 10, "total_steps": 204, "loss": 1.2345, "lr": 4.5e-05, "epoch": 0.14678899082568808, "percentage": 4.9, """
                    + "\"elapsed_time\": \"0:00:35\", \"remaining_time\": \"0:11:32\"}",
                """{"current_steps": 20, "total_steps": 204, "loss": 1.1, "lr": 0.0001, "epoch": 0.29, "percentage": 9.8, """
                    + "\"elapsed_time\": \"0:01:10\", \"remaining_time\": \"0:10:44\", \"throughput\": 100.0, \"total_tokens\": 7000}",
                """{"current_steps": 100, "total_steps": 204, "eval_loss": 0.75, "epoch": 1.5, "percentage": 49.02, """
                    + "\"elapsed_time\": \"1 day, 3:46:40\", \"remaining_time\": \"1 day, 4:53:20\"}",
                """{"current_steps": 204, "total_steps": 204, "epoch": 3.0, "percentage": 100.0, """
                    + "\"elapsed_time\": \"1:58:20\", \"remaining_time\": \"0:00:00\"}",
            ],
            File.ReadAllLines(folder["trainer_log.jsonl"]));
    }

    [Fact]
    public void A_resumed_log_goes_on_after_its_checkpoint_and_a_new_run_starts_afresh()
    {
        using var folder = new TempFolder();
        File.WriteAllLines(folder["trainer_log.jsonl"], ["{\"current_steps\": 1}", "{\"current_steps\": 2}", "{\"current_steps\": 3}", "{\"curr"]);
        using (var sink = new TrainerLogSink(folder.Path))
        {
            sink.Write(Started(folder, totalSteps: 4, startStep: 2));
            sink.Write(new StepLogged(3, 4, 1, 1, 1, 1) { Time = Start.AddSeconds(10) });
        }

        var lines = File.ReadAllLines(folder["trainer_log.jsonl"]);
        Assert.Equal(3, lines.Length);
        Assert.Contains("\"remaining_time\": \"0:00:10\"", lines[2]);

        using (var sink = new TrainerLogSink(folder.Path))
        {
            sink.Write(Started(folder, totalSteps: 4));
            sink.Write(new StepDone(1, 4, Loss: null));
            sink.Write(new StepLogged(1, 4, null, null, 0.5, 0.25) { Time = Start });
            Assert.Equal(lines, File.ReadAllLines(folder["trainer_log.jsonl"])); // nothing has been trained yet
            sink.Write(new StepDone(2, 4, 1.5));
            Assert.StartsWith("{\"current_steps\": 1, \"total_steps\": 4, \"lr\": 0.5, ", Assert.Single(File.ReadAllLines(folder["trainer_log.jsonl"])));
        }
    }

    [Fact]
    public void The_log_history_comes_with_its_norms_as_it_happens()
    {
        using var folder = new TempFolder();
        File.WriteAllLines(folder["log_history.jsonl"], ["{\"step\": 1}", "{\"step\": 2}"]);
        using var sink = new LogHistorySink(folder.Path);
        sink.Write(Started(folder, totalSteps: 4, startStep: 1));
        sink.Write(new StepLogged(2, 4, 1.5, 0.25, 1e-4, 0.5) { Time = Start });
        Assert.Equal(
            ["""{"step": 1}""", """{"loss": 1.5, "grad_norm": 0.25, "learning_rate": 0.0001, "epoch": 0.5, "step": 2}"""],
            File.ReadAllLines(folder["log_history.jsonl"]));
    }

    [Fact]
    public void The_settings_of_an_earlier_run_stay_until_something_is_trained()
    {
        using var folder = new TempFolder();
        File.WriteAllText(folder["training_args.yaml"], "seed: 1\n");
        var sink = new ArgumentsSink(folder.Path, "seed: 2\n");
        sink.Write(Started(folder, totalSteps: 4));
        Assert.Equal("seed: 1\n", File.ReadAllText(folder["training_args.yaml"]));
        sink.Write(new StepDone(1, 4, 1.5));
        Assert.Equal("seed: 2\n", File.ReadAllText(folder["training_args.yaml"]));
    }

    [Fact]
    public void Results_are_written_apart_and_together()
    {
        using var folder = new TempFolder();
        var sink = new ResultsSink(folder.Path);
        sink.Write(new Evaluated(4, 4, 2, 0.5, 2, 8, 8));
        Assert.False(File.Exists(folder["eval_results.json"]));
        sink.Write(new Evaluated(4, 4, 2, 0.5, 2, 8, 8) { Final = true, Metrics = new Dictionary<string, double> { ["accuracy"] = 0.75 } });
        sink.Write(new RunFinished(4, 2, 1.25, 136.60891) { SamplesTrained = 172, TotalFlos = 46793134080 });

        Assert.Equal(
            """
            {
                "epoch": 2.0,
                "total_flos": 46793134080.0,
                "train_loss": 1.25,
                "train_runtime": 136.6089,
                "train_samples_per_second": 1.259,
                "train_steps_per_second": 0.029
            }
            """,
            File.ReadAllText(folder["train_results.json"]));
        var eval = PythonJson.ReadObject(File.ReadAllText(folder["eval_results.json"]));
        Assert.Equal((0.5, 0.75, 4.0), (eval["eval_loss"], eval["eval_accuracy"], eval["eval_samples_per_second"]));
        Assert.Equal(11, PythonJson.ReadObject(File.ReadAllText(folder["all_results.json"])).Count);
    }

    [Fact]
    public void TensorBoard_files_hold_checked_records_with_the_tags_of_Transformers()
    {
        using var folder = new TempFolder();
        using (var sink = new TensorBoardSink(folder.Path))
        {
            sink.Write(new StepLogged(300, 400, 1.5, 0.5, 0.25, 2) { Time = Start, TokensPerSecond = 1000 });
            sink.Write(new Evaluated(300, 400, 2, 0.75, 2, 8, 4) { Time = Start });
            sink.Write(new StepLogged(301, 400, null, null, 0.25, 2) { Time = Start });
            sink.Write(new RunFinished(301, 2, null, 4) { Time = Start });
        }

        var file = Assert.Single(Directory.EnumerateFiles(folder["runs"], "events.out.tfevents.*", SearchOption.AllDirectories));
        var records = Records(File.ReadAllBytes(file));
        Assert.Equal(5, records.Count);
        Assert.Equal([("train/learning_rate", 0.25f), ("train/epoch", 2f)], Scalars(records[3])); // a step without a loss shows none, and not 0
        Assert.DoesNotContain(Scalars(records[4]), scalar => scalar.Item1 == "train/train_loss");
        Assert.Contains("brain.Event:2", Encoding.Latin1.GetString(records[0]));
        Assert.Equal((Start - DateTimeOffset.UnixEpoch).TotalSeconds, BinaryPrimitives.ReadDoubleLittleEndian(records[1].AsSpan(1)));

        // Field 2 of the event: step 300 as a varint.
        Assert.Equal([0x10, 0xAC, 0x02], records[1][9..12]);
        Assert.Equal(
            [("train/loss", 1.5f), ("train/grad_norm", 0.5f), ("train/learning_rate", 0.25f), ("train/epoch", 2f), ("train/tokens_per_second", 1000f)],
            Scalars(records[1]));
        Assert.Equal(
            [("eval/loss", 0.75f), ("eval/runtime", 2f), ("eval/samples_per_second", 4f), ("eval/steps_per_second", 2f), ("train/epoch", 2f)],
            Scalars(records[2]));
    }

    [Fact]
    public void The_checksum_is_the_masked_Castagnoli_one()
    {
        // The check value of CRC-32C is E3069283 for "123456789".
        const uint crc = 0xE3069283;
        Assert.Equal(((crc >> 15) | (crc << 17)) + 0xa282ead8, TensorBoardWriter.MaskedCrc("123456789"u8));
    }

    [Fact]
    public void A_file_that_cannot_be_replaced_leaves_nothing_behind()
    {
        using var folder = new TempFolder();
        Directory.CreateDirectory(folder["taken"]);

        Assert.ThrowsAny<Exception>(() => AtomicFile.WriteText(folder["taken"], "text"));
        Assert.Equal(["taken"], Directory.EnumerateFileSystemEntries(folder.Path).Select(Path.GetFileName));
    }

    [Fact]
    public void One_call_attaches_every_file_of_a_run()
    {
        using var folder = new TempFolder();
        using (var hub = new EventHub())
        {
            RunFolder.Attach(hub, folder["out"], new TrainerState(), plotLoss: true, tensorBoard: true, loggingDir: folder["out/tb"], arguments: "seed: 7\n");
            hub.Write(Started(folder, totalSteps: 1));
            hub.Write(new SampleSkipped("demo", 3, "a.png is cut off", "left out") { Time = Start });
            hub.Write(new StepLogged(1, 1, 1, 1, 1, 1) { Time = Start });
            hub.Write(new RunFinished(1, 1, 1, 1) { Time = Start });
        }

        string[] files =
        [
            "all_results.json", "log_history.jsonl", "running_log.txt", "tb", "train_results.json", "trainer_log.jsonl", "trainer_state.json",
            "training_args.yaml", "training_loss.png", "training_loss.svg",
        ];
        Assert.Equal(files, Directory.EnumerateFileSystemEntries(folder["out"]).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Contains("left out: demo row 3: a.png is cut off", File.ReadAllText(folder["out/running_log.txt"]));
    }

    private static RunStarted Started(TempFolder folder, int totalSteps, int startStep = 0) => new()
    {
        Time = Start,
        OutputDir = folder.Path,
        Model = "m",
        TrainableParameters = 1,
        AllParameters = 2,
        Samples = 4,
        TotalSteps = totalSteps,
        StartStep = startStep,
    };

    private static List<byte[]> Records(byte[] file)
    {
        var records = new List<byte[]>();
        for (var at = 0; at < file.Length;)
        {
            var length = (int)BinaryPrimitives.ReadUInt64LittleEndian(file.AsSpan(at));
            var payload = file.AsSpan(at + 12, length);
            Assert.Equal(TensorBoardWriter.MaskedCrc(file.AsSpan(at, 8)), BinaryPrimitives.ReadUInt32LittleEndian(file.AsSpan(at + 8)));
            Assert.Equal(TensorBoardWriter.MaskedCrc(payload), BinaryPrimitives.ReadUInt32LittleEndian(file.AsSpan(at + 12 + length)));
            records.Add(payload.ToArray());
            at += length + 16;
        }

        return records;
    }

    /// <summary>Reads the summary of an event whose step takes two bytes and whose lengths take one.</summary>
    private static List<(string Tag, float Value)> Scalars(byte[] record)
    {
        var scalars = new List<(string, float)>();
        Assert.Equal(0x2A, record[12]);
        var at = record[13] < 0x80 ? 14 : 15;
        while (at < record.Length)
        {
            Assert.Equal((0x0A, 0x0A), (record[at], record[at + 2]));
            var tagLength = record[at + 3];
            var tag = Encoding.UTF8.GetString(record, at + 4, tagLength);
            Assert.Equal(0x15, record[at + 4 + tagLength]);
            scalars.Add((tag, BinaryPrimitives.ReadSingleLittleEndian(record.AsSpan(at + 5 + tagLength))));
            at += 2 + record[at + 1];
        }

        return scalars;
    }
}
