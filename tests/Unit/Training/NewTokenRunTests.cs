using System.Text.Json.Nodes;
using Fovea.Data.Tokenizers;
using Fovea.Files.Safetensors;
using Fovea.Models;
using Fovea.Models.Peft;
using Fovea.Models.Saving;
using Fovea.Nn;
using Fovea.Tests.Unit.Robustness;
using Fovea.Training.Config;
using Fovea.Training.Planning;
using Fovea.Training.Recipes;
using Fovea.Training.Session;

namespace Fovea.Tests.Unit.Training;

/// <summary>Runs that give a model new tokens: rows, training of them alone or of whole tables, and everything that is done with the result.</summary>
public sealed class NewTokenRunTests : NativeTest
{
    private const string Tied = "minicpmv4_6";
    private const string Untied = "qwen2_5_vl_tiny";
    private const string Rows = "trainable_token_indices=new";
    private const string NoneNew = "new tokens: the tokenizer has all that are named already";
    private static readonly string[] Few = ["add_special_tokens=<round>,<edge>", "add_tokens=kreis"];
    private readonly TinyRun run = new();
    private readonly string[] data;

    public NewTokenRunTests() => data = run.Rows(12, rows =>
    {
        foreach (var row in rows)
        {
            var answer = row!["messages"]![1]!;
            answer["content"] = $"<round>{(string)answer["content"]!}<edge> kreis";
        }
    });

    [Theory]
    [InlineData(Untied, 3, 2048)]
    [InlineData(Untied, 60, 2112)]
    [InlineData(Tied, 60, 2112)]
    public void New_rows_begin_as_noise_around_the_mean_and_all_others_stay(string golden, int count, int rows)
    {
        string[] tokens = [.. Enumerable.Range(0, count).Select(i => $"<new{i}>")];
        var folder = Model(golden);
        var source = BaseModel.Open(Config($"add_special_tokens={string.Join(',', tokens)}", $"model_name_or_path={folder}"));
        using var before = ModelSource.Open(folder).Load(new ModelOptions());
        using var after = source.Load(new ModelOptions());
        var known = Tokenizer.Load(folder);
        Assert.Equal(Enumerable.Range(known.LargestId + 1, count), source.Vocabulary!.NewIds);
        Assert.Equal(rows, source.Vocabulary.Rows);
        foreach (var name in Tables(before).Select(table => table.Name))
        {
            using var scope = TensorScope.Open("test");
            var (old, now) = (before.Ledger[name].Value.ToArray<float>(), after.Ledger[name].Value.ToArray<float>());
            var width = (int)before.Ledger[name].Shape[1];
            Assert.Equal([rows, width], after.Ledger[name].Shape);
            var from = (known.LargestId + 1) * width;
            Assert.Equal(old[..from], now[..from]);
            var fresh = now[from..(from + (count * width))];
            var mean = Enumerable.Range(0, width).Select(i => old[..from].Where((_, at) => at % width == i).Average()).Average();
            Assert.Equal(mean, fresh.Average(), 0.02);
            Assert.Equal(1 / Math.Sqrt(width), Math.Sqrt(fresh.Average(value => (double)value * value)), 0.2 / Math.Sqrt(width));
            Assert.All(now[Math.Max(old.Length, from + (count * width))..], value => Assert.Equal(0, value));
        }

        // Who loads the folder with the same tokens has the same model.
        using var again = source.Load(new ModelOptions());
        Assert.All(after.Ledger.Parameters, parameter => Assert.Equal(Floats(parameter), Floats(again.Ledger[parameter.Name])));
    }

    [Fact]
    public void Rows_may_begin_with_what_their_tokens_mean()
    {
        var file = run.Write("tokens.yaml", "<round>: a red circle\n<none>: <edge>\n<edge>: circle\n");
        var source = BaseModel.Open(Config($"new_special_tokens_config={file}", "init_special_tokens=desc_init"));
        using var model = source.Load(new ModelOptions());
        using var scope = TensorScope.Open("test");
        var table = model.Ledger["model.embed_tokens.weight"].Value;
        long[] words = [.. source.Vocabulary!.Tokenizer.Encode("a red circle")];
        var expected = table.IndexSelect(0, CreateOps.From(words)).Mean(0).ToArray<float>();
        var id = source.Vocabulary.Tokenizer.IdOf("<round>")!.Value;
        Assert.Equal(expected, table.Select(0, id).ToArray<float>(), (a, b) => Math.Abs(a - b) < 1e-6);
        Assert.Equal(expected, model.Ledger["lm_head.weight"].Value.Select(0, id).ToArray<float>(), (a, b) => Math.Abs(a - b) < 1e-6);
    }

    [Theory]
    [InlineData(Untied, Rows)]
    [InlineData(Tied, Rows)]
    [InlineData(Tied, Rows, "recompute=true", "bf16=true")]
    [InlineData(Untied)]
    [InlineData(Tied)]
    [InlineData(Untied, "finetuning_type=full", "learning_rate=1e-4")]
    public void A_resumed_run_ends_with_the_same_bytes(string golden, params string[] keys)
    {
        string[] all = [$"model_name_or_path={Model(golden)}", .. keys, "lr_scheduler_type=constant", "save_steps=1"];
        Train("whole", [.. all, "max_steps=2"]);
        Train("parts", [.. all, "max_steps=1"]);
        Train("parts", [.. all, "max_steps=2", "resume_from_checkpoint=true"]);
        var file = keys.Contains("finetuning_type=full") ? "model.safetensors" : PeftAdapter.WeightsName;
        foreach (var name in new[] { file, "tokenizer.json", Path.Combine("checkpoint-2", "tokenizer.json") })
        {
            Assert.Equal(File.ReadAllBytes(Path.Combine(run.Out("whole"), name)), File.ReadAllBytes(Path.Combine(run.Out("parts"), name)));
        }
    }

    [Theory]
    [InlineData(Untied, true)]
    [InlineData(Tied, true)]
    [InlineData(Untied, false)]
    [InlineData(Tied, false)]
    public void What_was_trained_is_the_adapter_over_the_base_and_the_export(string golden, bool rowsAlone)
    {
        string[] model = [$"model_name_or_path={Model(golden)}"];
        string[] keys = rowsAlone ? [Rows] : [];
        Train("out", [.. model, .. keys, "lr_scheduler_type=constant", "max_steps=4"]);
        var losses = run.Losses("out");
        Assert.True(losses[3] < losses[0], $"{losses[0]} {losses[3]}");
        var written = JsonNode.Parse(File.ReadAllText(Path.Combine(run.Out(), PeftConfig.FileName)))!;
        var tokenizer = Tokenizer.Load(run.Out());
        int[] ids = [.. new[] { "kreis", "<round>", "<edge>" }.Select(token => tokenizer.IdOf(token)!.Value)];
        using (var file = Checkpoint.OpenAdapter(run.Out()))
        {
            var tables = file.Tensors.Keys.Where(name => name.EndsWith("token_adapter.trainable_tokens_delta", StringComparison.Ordinal)).ToList();
            Assert.Equal(rowsAlone ? golden == Tied ? 1 : 2 : 0, tables.Count);
            Assert.All(tables, name => Assert.Equal(3, file[name].Shape[0]));
            Assert.Equal(rowsAlone, written["trainable_token_indices"] is not null);
        }

        // The tokens are found in the adapter's own folder; the base's rows beside them stay.
        var exported = Path.Combine(run.Folder, "exported");
        new ModelExport { Model = Model(golden), Adapters = [run.Out()], Target = exported }.Run(_ => { });
        Assert.Equal(ids, Tokenizer.Load(exported).Encode("kreis<round><edge>"));
        using (var source = Checkpoint.Open(Model(golden)))
        {
            using var merged = Checkpoint.Open(exported);
            foreach (var name in source.Tensors.Keys.Where(name => rowsAlone && name.EndsWith("embed_tokens.weight", StringComparison.Ordinal)))
            {
                var stride = (int)(source[name].Bytes / source[name].Shape[0]);
                Assert.True(source[name].Span[..(ids[0] * stride)].SequenceEqual(merged[name].Span[..(ids[0] * stride)]));
                Assert.False(merged[name].Span.Slice(ids[1] * stride, stride).SequenceEqual(merged[name].Span.Slice(ids[2] * stride, stride)));
            }
        }

        string[] next = ["create_new_adapter=true", "learning_rate=0", "max_steps=1"];
        Train("over adapter", [.. model, .. next, $"adapter_name_or_path={run.Out()}"], tokens: []);
        Train("over export", [$"model_name_or_path={exported}", .. next], tokens: []);
        Assert.Equal(run.Losses("over export")[0], run.Losses("over adapter")[0], 1e-5);
        Assert.True(run.Losses("over export")[0] < losses[0]);

        Assert.Equal(Answer(exported, null), Answer(Model(golden), run.Out()));
    }

    [Theory]
    [InlineData(Untied, false, false)]
    [InlineData(Tied, false, false)]
    [InlineData(Untied, false, true)]
    [InlineData(Tied, true, true)]
    [InlineData(Untied, true, true)]
    public void An_adapter_that_goes_on_learns_and_keeps_what_the_run_adds(string golden, bool hasRows, bool rowsAlone)
    {
        string[] model = [$"model_name_or_path={Model(golden)}", "lr_scheduler_type=constant"];
        Train("first", [.. model, "max_steps=1"], tokens: hasRows ? ["add_tokens=kreis", Rows] : []);
        string[] keys = rowsAlone ? [Rows] : [];
        string[] on = [.. model, .. keys, $"adapter_name_or_path={run.Out("first")}", "save_steps=1"];
        Train("whole", [.. on, "max_steps=2"]);
        Train("parts", [.. on, "max_steps=1"]);
        Train("parts", [.. on, "max_steps=2", "resume_from_checkpoint=true"]);
        Assert.Equal(run.Adapter("whole"), run.Adapter("parts"));

        string[] tables = golden == Tied ? ["embed_tokens"] : ["embed_tokens", "lm_head"];
        var config = PeftConfig.Read(run.Out("whole"));
        Assert.Equal(rowsAlone ? tables : [], config.TokenIndices.Keys.Order(StringComparer.Ordinal));
        Assert.Equal(rowsAlone ? [] : tables, config.ModulesToSave);
        using var first = Checkpoint.OpenAdapter(run.Out("first"));
        using var whole = Checkpoint.OpenAdapter(run.Out("whole"));
        var end = rowsAlone ? "trainable_tokens_delta" : "weight";
        var names = whole.Tensors.Keys.Where(name => tables.Any(table => name.Contains(table, StringComparison.Ordinal))).ToList();
        Assert.Equal(tables.Length, names.Count);
        Assert.All(names, name => Assert.EndsWith(end, name, StringComparison.Ordinal));
        if (!hasRows)
        {
            return;
        }

        // Rows that the first run trained go on from there.
        Train("still", [.. on, "learning_rate=0", "max_steps=1"]);
        using var still = Checkpoint.OpenAdapter(run.Out("still"));
        Assert.All(names, name => Assert.Equal(3, still[name].Shape[0]));
        Assert.All(names, name => Assert.Equal(Values(first[name]), Values(still[name])[..(int)first[name].Shape[1]]));
    }

    [Theory]
    [InlineData("label_smoothing_factor=0.1")]
    [InlineData("z_loss=0.1")]
    [InlineData("use_dft_loss=true")]
    public void A_loss_that_does_not_go_with_rows_is_refused_where_the_adapter_brings_them(string key)
    {
        Train("first", [Rows, "max_steps=1"]);
        var error = Assert.Throws<ConfigException>(() => Train("on", [$"adapter_name_or_path={run.Out("first")}", key, "max_steps=1"], tokens: []));
        Assert.Contains($"{key.Split('=')[0]} is not supported together with trainable_token_indices", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_converted_adapter_has_the_tokens_too()
    {
        Train("out", [Rows, "pissa_init=true", "pissa_convert=true", "max_steps=2"]);
        var converted = run.Out(Path.Combine("out", "pissa_converted"));
        Assert.Equal(Tokenizer.Load(run.Out()).Encode("kreis<round><edge>"), Tokenizer.Load(converted).Encode("kreis<round><edge>"));
        string[] next = ["create_new_adapter=true", "learning_rate=0", "max_steps=1"];
        Train("own", [.. next, $"adapter_name_or_path={run.Out()}"], tokens: []);
        Train("over converted", [.. next, $"adapter_name_or_path={converted}"], tokens: []);
        Assert.Equal(run.Losses("own")[0], run.Losses("over converted")[0], 1e-5);
    }

    [Theory]
    [InlineData(Untied)]
    [InlineData(Tied)]
    public void A_row_that_learns_alone_learns_what_it_learns_in_a_whole_table(string golden)
    {
        string[] all = [$"model_name_or_path={Model(golden)}", "max_grad_norm=0", "max_steps=1", "lr_scheduler_type=constant", "learning_rate=1", "optim=sgd"];
        Train("rows", [.. all, Rows]);
        Train("whole", all);
        using var rows = Checkpoint.OpenAdapter(run.Out("rows"));
        using var whole = Checkpoint.OpenAdapter(run.Out("whole"));
        var ids = BaseModel.Open(Config([.. Few, .. all])).Vocabulary!.NewIds;
        foreach (var name in rows.Tensors.Keys.Where(name => name.EndsWith("trainable_tokens_delta", StringComparison.Ordinal)))
        {
            var table = whole[name.Replace("token_adapter.trainable_tokens_delta", "weight", StringComparison.Ordinal)];
            var (own, every, width) = (Values(rows[name]), Values(table), (int)table.Shape[1]);
            foreach (var (id, i) in ids.Select((id, i) => (id, i)))
            {
                Assert.Equal(every[(id * width)..((id + 1) * width)], own[(i * width)..((i + 1) * width)], (a, b) => Math.Abs(a - b) < 1e-5);
            }
        }
    }

    [Fact]
    public void A_plan_counts_the_rows()
    {
        var config = Config([.. Few, Rows, $"model_name_or_path={Model(Untied)}"]);
        using var alone = Shapes(config);
        using var whole = Shapes(Config([.. Few]));
        using var plain = Shapes(Config());
        var width = plain.Model.Head.Shape[1];
        long Learning(ModelShapes shapes) => shapes.Model.Ledger.Trainable.Sum(p => p.Count);
        Assert.Equal(2 * 3 * width, Learning(alone) - Learning(plain));
        Assert.Equal(2 * 2048 * width, Learning(whole) - Learning(plain));
    }

    [Theory]
    [InlineData("trainable_token_indices=new", "trainable_token_indices: new needs new tokens")]
    [InlineData("trainable_token_indices=5,2048", "trainable_token_indices: 2048 is beyond the vocabulary's 2048 rows")]
    public void Rows_that_are_not_there_are_refused(string key, string problem) =>
        Assert.Contains(problem, Assert.Throws<ConfigException>(() => Train("out", [key], tokens: [])).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("trainable_token_indices=old", "trainable_token_indices: old must be new or ids of tokens")]
    [InlineData("init_special_tokens=desc_init", "init_special_tokens: desc_init needs new_special_tokens_config")]
    [InlineData("quantization_bit=4", "quantization_bit: 4 goes without new tokens")]
    [InlineData("additional_target=lm_head", "trains rows of what additional_target (lm_head) trains whole")]
    [InlineData("label_smoothing_factor=0.1", "label_smoothing_factor is not supported together with trainable_token_indices")]
    public void What_contradicts_itself_is_refused(string key, string problem) => Assert.Contains(
        problem, Assert.Throws<ConfigException>(() => Config([.. Few, Rows, key])).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("add_tokens=icense")]
    [InlineData("add_special_tokens=<|im_end|>")]
    public void Where_no_token_is_new_nothing_more_is_trained_and_that_is_said(params string[] tokens)
    {
        Train("plain", ["max_steps=2"], tokens: []);
        var notices = Train("same", ["max_steps=2"], tokens);
        Assert.Single(notices, notice => notice.StartsWith(NoneNew, StringComparison.Ordinal));
        Assert.DoesNotContain(notices, notice => notice.Contains("trained whole, as LLaMA-Factory", StringComparison.Ordinal));
        Assert.Equal(run.Adapter("plain"), run.Adapter("same"));
        Assert.Empty(PeftConfig.Read(run.Out("same")).ModulesToSave);
        Assert.Empty(PeftConfig.Read(run.Out("same")).TokenIndices);
    }

    [Fact]
    public void Tokens_of_the_adapter_that_goes_on_are_not_new_and_are_trained_as_it_trains_them()
    {
        Train("rows", [Rows, "max_steps=1"]);
        Train("whole", ["max_steps=1"]);
        foreach (var (from, tokens) in new[] { ("rows", Few), ("rows", []), ("whole", Few) })
        {
            var notices = Train("on", [$"adapter_name_or_path={run.Out(from)}", "max_steps=1", "overwrite_output_dir=true"], tokens);
            Assert.Equal(tokens.Length > 0 ? 1 : 0, notices.Count(notice => notice.StartsWith(NoneNew, StringComparison.Ordinal)));
            var (then, now) = (PeftConfig.Read(run.Out(from)), PeftConfig.Read(run.Out("on")));
            Assert.Equal(then.ModulesToSave, now.ModulesToSave);
            Assert.Equal(then.TokenIndices.Keys, now.TokenIndices.Keys);
            Assert.Equal(from == "rows" ? 2 : 0, now.TokenIndices.Count);
        }
    }

    [Theory]
    [InlineData("add_tokens=<|im_end|>,kreis", "new tokens (kreis): embeddings and head are trained whole")]
    [InlineData("resize_vocab=true", "resize_vocab: embeddings and head are trained whole")]
    public void New_tokens_and_resize_vocab_train_whole_tables_where_nobody_says_otherwise(string key, string notice)
    {
        Assert.Contains(Train("out", [key, "max_steps=1"], tokens: []), text => text.StartsWith(notice, StringComparison.Ordinal));
        Assert.Equal(["embed_tokens", "lm_head"], PeftConfig.Read(run.Out()).ModulesToSave);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Whole_tables_of_an_adapter_go_on_with_it(bool named)
    {
        Train("first", ["max_steps=2", "lr_scheduler_type=constant"]);
        Train("on", [$"adapter_name_or_path={run.Out("first")}", "learning_rate=0", "max_steps=1"], tokens: named ? null : []);
        Assert.Equal(["embed_tokens", "lm_head"], PeftConfig.Read(run.Out("on")).ModulesToSave);
        Assert.Equal(run.Adapter("first"), run.Adapter("on"));
    }

    [Theory]
    [InlineData("additional_target=embed_tokens")]
    [InlineData("add_tokens=rund")]
    public void An_adapter_of_rows_does_not_go_on_where_the_whole_table_is_trained_and_the_error_says_how(string key)
    {
        Train("first", [Rows, "max_steps=1"]);
        string[] on = [$"adapter_name_or_path={run.Out("first")}", "max_steps=1"];
        var error = Assert.Throws<ConfigException>(() => Train("on", [.. on, key], tokens: [])).Message;
        var (tables, modules) = key.StartsWith("add_tokens", StringComparison.Ordinal)
            ? ("lm_head.weight and model.embed_tokens.weight", "lm_head and embed_tokens")
            : ("model.embed_tokens.weight", "embed_tokens");
        Assert.Contains($"has trained rows of {tables} (trainable_token_indices), and this run trains all of that", error, StringComparison.Ordinal);
        Assert.Contains($"give trainable_token_indices (new, or ids) and leave {modules} out of additional_target", error, StringComparison.Ordinal);
        if (key.StartsWith("add_tokens", StringComparison.Ordinal))
        {
            Train("on", [.. on, key, Rows], tokens: []);
            Assert.Equal(4, PeftConfig.Read(run.Out("on")).TokenIndices["embed_tokens"].Count);
        }

        var exported = Path.Combine(run.Folder, "exported");
        new ModelExport { Model = Model(Untied), Adapters = [run.Out("first")], Target = exported }.Run(_ => { });
        Train("over", [$"model_name_or_path={exported}", key, "max_steps=1"], tokens: []);
        Assert.Contains("embed_tokens", PeftConfig.Read(run.Out("over")).ModulesToSave);
    }

    [Fact]
    public void Rows_of_known_tokens_learn_too_and_an_adapter_of_rows_serves_alone()
    {
        Train("out", ["trainable_token_indices=5,6", "max_steps=1"], tokens: []);
        var config = PeftConfig.Read(run.Out());
        Assert.Equal([5, 6], config.TokenIndices["embed_tokens"]);
        Assert.Equal([5, 6], config.TokenIndices["lm_head"]);
        using var model = ModelSource.Open(Model(Untied)).Load(new ModelOptions());
        Assert.Contains("cannot serve beside others", Assert.Throws<ConfigException>(
            () => PeftAdapter.Open(model, Families.All[0], "one", run.Out())).Message, StringComparison.Ordinal);
        PeftAdapter.Attach(model, Families.All[0], run.Out(), trainable: false);
        Assert.Equal(2, model.Ledger.Rows.Count);
    }

    protected override void Cleanup() => run.Dispose();

    private static ModelShapes Shapes(TrainConfig config) => ModelShapes.Load(ResolvedTuning.Of(config), BaseModel.Open(config));

    private static string Model(string golden) => TestFiles.Golden($"{golden}/model");

    private static IEnumerable<Parameter> Tables(VisionLanguageModel model) =>
        model.Ledger.Parameters.Where(p => p.Name.EndsWith("embed_tokens.weight", StringComparison.Ordinal) || p == model.Head);

    private static float[] Floats(Parameter parameter)
    {
        using var scope = TensorScope.Open("test");
        return parameter.Value.To(DType.F32).ToArray<float>();
    }

    private static float[] Values(TensorEntry entry) => System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(entry.Span).ToArray();

    private static IReadOnlyList<int> Answer(string folder, string? adapter)
    {
        var model = VisionModel.LoadAsync(folder, new() { Device = "cpu", Adapter = adapter, Precision = Precision.Fp32 }).GetAwaiter().GetResult();
        try
        {
            return model.AnswerAsync(
                [Message.User("<round> kreis?")], model.Generation with { DoSample = false, MaxNewTokens = 6 }).GetAwaiter().GetResult().Generation.Ids;
        }
        finally
        {
            model.DisposeAsync().AsTask().GetAwaiter().GetResult();
        }
    }

    private TrainConfig Config(params string[] keys) => TrainConfig.Load(run.Config, [.. data, $"output_dir={run.Out()}", .. keys]);

    private List<string> Train(string name, string[] keys, string[]? tokens = null)
    {
        string[] all =
        [
            .. data, $"output_dir={run.Out(name)}", "disable_shuffling=true", "per_device_train_batch_size=4", "gradient_accumulation_steps=1",
            .. tokens ?? Few, .. keys,
        ];
        var template = keys.Any(key => key.Contains(Tied, StringComparison.Ordinal)) ? new[] { "template=minicpm_v_4_6" } : [];
        using var seen = new SeenEvents();
        SupervisedFineTune.Run(TrainConfig.Load(run.Config, [.. all, .. template]), [seen]);
        return [.. seen.Notices];
    }
}
