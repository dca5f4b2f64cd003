using Fovea.Cli.Verbs;
using Fovea.Loading;
using Fovea.Models;
using Fovea.Models.Peft;
using Fovea.Training.Config;

namespace Fovea.Tests.Unit.Generation;

/// <summary>The chat verb on the tiny model: commands, images, errors, and where each thing is written.</summary>
public sealed class ChatConsoleTests : NativeTest
{
    private static readonly string Folder = TestFiles.Golden("qwen2_5_vl_tiny/model");
    private static readonly string Adapter = TestFiles.Golden("qwen2_5_vl_tiny/adapter_init");
    private static readonly string Picture = TestFiles.Golden("qwen2_5_vl_tiny/data/images/001_0.png");
    private readonly StringWriter output = new();
    private readonly StringWriter notes = new();
    private readonly VisionModel model;
    private readonly Chat chat;
    private readonly ChatInterrupts interrupts = new();
    private readonly ChatConsole console;

    public ChatConsoleTests()
    {
        var named = new ModelSection { AdapterNameOrPath = [Adapter], ModelNameOrPath = Folder, UseCpu = true };
        var config = ModelChoice.Complete(new TrainConfig { Model = named }, notes).Config;
        model = Load(config, fromModel: true);
        chat = model.NewChat();
        console = new ChatConsole(chat, model.Generation with { MaxNewTokens = 5 }, output, notes, interrupts);
    }

    [Fact]
    public void Commands_and_questions_are_answered_line_by_line()
    {
        var input = $"/system You see.\n\n/image {Picture}\nWhat is this?\nAnd {Picture}?\n/clear\nHello\n/exit\nnever read\n";
        Assert.Equal(0, console.Run(new StringReader(input), interactive: false));
        Assert.Equal("You see.", chat.System);
        Assert.Equal([Message.User("Hello")], chat.Messages.Take(1));
        Assert.Equal(2, chat.Messages.Count);
        var said = notes.ToString();
        Assert.Equal(3, said.Split("tokens/s").Length - 1);
        Assert.Contains("goes with the next question", said);
        Assert.Contains("known", said);
        Assert.Contains("a new conversation", said);
        Assert.DoesNotContain("tokens/s", output.ToString());
        Assert.DoesNotContain("> ", output.ToString());
    }

    [Fact]
    public void A_failed_question_is_reported_and_the_next_one_answered()
    {
        var status = console.Run(new StringReader("/image absent.png\n/imagine\n<image>absent.png</image> what?\nHello\n"), interactive: false);
        Assert.Equal(1, status);
        Assert.Equal(3, notes.ToString().Split("error: ").Length - 1);
        Assert.Equal(2, chat.Messages.Count);
    }

    [Fact]
    public void The_first_interrupt_ends_an_answer_and_the_second_the_program()
    {
        var token = interrupts.Begin();
        Assert.True(interrupts.Press());
        Assert.True(token.IsCancellationRequested);
        Assert.False(interrupts.Press());
        Assert.False(interrupts.Begin().IsCancellationRequested);
        interrupts.End();
    }

    [Fact]
    public void What_cannot_be_completed_is_refused_with_the_remedy()
    {
        Assert.Contains("--model", Assert.Throws<ConfigException>(() => ModelChoice.Complete(new TrainConfig(), notes)).Message);
        var noAdapter = new TrainConfig { Model = new ModelSection { AdapterNameOrPath = [Folder] } };
        Assert.Contains("adapter_config.json", Assert.Throws<ConfigException>(() => ModelChoice.Complete(noAdapter, notes)).Message);
        var training = new TrainConfig { Model = new ModelSection { ModelNameOrPath = Folder }, Run = new RunSection { OutputDir = Adapter } };
        Assert.Equal([training.Run.OutputDir], ModelChoice.Complete(training, notes).Config.Model.AdapterNameOrPath);
    }

    [Theory]
    [InlineData("full", false)]
    [InlineData("lora", true)]
    public void A_model_that_is_named_stands_before_the_run_s_own_but_keeps_its_adapter(string finetuning, bool hasAdapter)
    {
        var inside = Directory.CreateTempSubdirectory("fovea-");
        var (file, own, elsewhere) = (Path.Combine(inside.FullName, "run.yaml"), inside.CreateSubdirectory("base"), inside.CreateSubdirectory("elsewhere"));
        var output = hasAdapter ? Adapter : Folder;
        File.WriteAllText(file, $"model_name_or_path: {own.FullName}\noutput_dir: {output}\nfinetuning_type: {finetuning}\n");
        TrainConfig Of(params string[] more) =>
            ModelChoice.Complete(ChatVerb.Read(ChatVerb.Create().Parse([file, .. more]), [file], ConfigUse.Chat), notes).Config;
        Assert.Equal(hasAdapter ? own.FullName : Folder, Of().Model.ModelNameOrPath);
        Assert.Equal(elsewhere.FullName, Of("--model", elsewhere.FullName).Model.ModelNameOrPath);
        Assert.Equal(hasAdapter ? [Adapter] : [], Of("--model", elsewhere.FullName).Model.AdapterNameOrPath);
        inside.Delete(recursive: true);
    }

    [Fact]
    public void Several_adapters_are_put_on_top_of_one_another()
    {
        // The golden adapter is a fresh one, without effect; this one has some.
        var folder = Directory.CreateTempSubdirectory("fovea-").FullName;
        var linear = model.Loaded.Model.Ledger.Linears.First(linear => linear.Lora is not null);
        linear.Lora!.B.Value.Normal_(0, 1);
        PeftAdapter.Save(model.Loaded.Model, PeftConfig.Read(Adapter), folder);
        var config = new TrainConfig { Model = new ModelSection { ModelNameOrPath = Folder, AdapterNameOrPath = [folder, Adapter], UseCpu = true } };
        using var twice = LoadedModel.Load(config, ModelSource.Open(Folder), fromModel: false, notes.WriteLine);
        Directory.Delete(folder, recursive: true);
        using var scope = TensorScope.Open("test");
        using var grad = Autograd.NoGrad();
        var delta = twice.Model.Ledger[linear.Weight.Name].Value.Sub(linear.Weight.Value);
        var expected = linear.Lora.Delta();
        Assert.True(expected.Abs().Max().Item() > 0.1);
        Parity.Golden.Near(linear.Path, expected.ToArray<float>(), delta.ToArray<float>(), 1e-6);
        Assert.Equal(model.Loaded.Model.Ledger.AdapterParameters.Count(), twice.Model.Ledger.AdapterParameters.Count());
        Assert.True(twice.Options.DoSample, "the configuration's settings count, as in LLaMA-Factory");
    }

    // The same way for chat and eval: both load through LoadedModel.
    [Fact]
    public void Ignored_keys_are_reported_as_a_run_reports_them()
    {
        var file = Path.GetTempFileName();
        File.WriteAllText(file, $"model_name_or_path: {Folder}\nlabel_mask: original\ntrust_remote_code: true\nuse_cpu: true\n");
        var config = TrainConfig.Load(file, [], ConfigUse.Chat);
        File.Delete(file);
        var heard = new StringWriter();

        LoadedModel.Load(ModelChoice.Complete(config, heard).Config, ModelSource.Open(Folder), fromModel: false, heard.WriteLine).Dispose();

        Assert.Contains("note: trust_remote_code is ignored: no code from a model folder is ever run", heard.ToString(), StringComparison.Ordinal);
        Assert.Contains("note: label_mask is ignored: it is for MiniMind-V, this model is qwen2_5_vl", heard.ToString(), StringComparison.Ordinal);
    }

    protected override void Cleanup()
    {
        interrupts.Dispose();
        model.DisposeAsync().AsTask().GetAwaiter().GetResult();
    }

    private VisionModel Load(TrainConfig config, bool fromModel) =>
        VisionModel.LoadAsync(config, source: null, fromModel, notes.WriteLine, mesh: null, CancellationToken.None).GetAwaiter().GetResult();
}
