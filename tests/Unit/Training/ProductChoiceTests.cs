using System.Text.Json.Nodes;
using Fovea.Tests.Unit.Robustness;
using Fovea.Training.Config;
using Fovea.Training.Recipes;
using Fovea.Training.Session;

namespace Fovea.Tests.Unit.Training;

/// <summary>The kernel for products is the run's: kept in its checkpoints, taken up again where it goes on, whatever this machine would choose.</summary>
public sealed class ProductChoiceTests : NativeTest
{
    private readonly TinyRun run = new();
    private readonly string? before = Environment.GetEnvironmentVariable(ProductPolicy.HalfVariable);

    [Fact]
    public void A_resumed_run_multiplies_as_it_began_and_ends_bitwise_as_an_uninterrupted_one()
    {
        Environment.SetEnvironmentVariable(ProductPolicy.HalfVariable, "tiles");
        using var whole = Train("whole");
        Assert.Contains("bf16 products: tiles (by FOVEA_HALF_PRODUCTS)", whole.Notices);
        using (Train("cut", stopAfter: 2))
        {
            Assert.Equal(ProductKernel.Tiles, ProductChoice.InUse().Bf16);
        }

        Assert.Equal(ProductChoice.InUse().ToString(), (string?)State("cut")["choices"]![ProductSetup.Name]);

        // Nobody asks for a kernel now, and none is measured: the checkpoint says it.
        Environment.SetEnvironmentVariable(ProductPolicy.HalfVariable, null);
        ProductChoice.Rule.Use();
        using var rest = Train("cut", more: ["resume_from_checkpoint=true"]);
        Assert.Equal(ProductKernel.Tiles, ProductChoice.InUse().Bf16);
        Assert.Contains($"products: {ProductChoice.InUse()}, as the run began", rest.Notices);
        Assert.Equal(File.ReadAllBytes(Adapter("whole")), File.ReadAllBytes(Adapter("cut")));
    }

    [Fact]
    public void What_the_environment_asks_for_takes_precedence_and_is_said()
    {
        Environment.SetEnvironmentVariable(ProductPolicy.HalfVariable, "tiles");
        Train("cut", stopAfter: 2).Dispose();
        Environment.SetEnvironmentVariable(ProductPolicy.HalfVariable, "widened");
        using var rest = Train("cut", more: ["resume_from_checkpoint=true"]);
        Assert.Equal(ProductKernel.Widened, ProductChoice.InUse().Bf16);
        Assert.Contains(rest.Notices, notice => notice.Contains("as the environment asks for, the run began with", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(null, null)]
    [InlineData("fp32 library, bf16 cubes, fp16 library", "which this version does not know")]
    public void A_checkpoint_without_a_known_choice_goes_on_by_the_rule(string? kept, string? told)
    {
        Environment.SetEnvironmentVariable(ProductPolicy.HalfVariable, "tiles");
        Train("cut", stopAfter: 2).Dispose();
        var state = State("cut");
        state["choices"] = kept is null ? null : new JsonObject { [ProductSetup.Name] = kept };
        File.WriteAllText(StateFile("cut"), state.ToJsonString());

        Environment.SetEnvironmentVariable(ProductPolicy.HalfVariable, null);
        using var rest = Train("cut", more: ["resume_from_checkpoint=true"]);
        Assert.Equal(ProductChoice.Rule, ProductChoice.InUse());
        var notices = rest.Notices.Where(notice => notice.StartsWith("products:", StringComparison.Ordinal)).ToList();
        Assert.Equal(told is null ? 0 : 1, notices.Count);
        Assert.All(notices, notice => Assert.Contains(told!, notice));
    }

    protected override void Cleanup()
    {
        Environment.SetEnvironmentVariable(ProductPolicy.HalfVariable, before);
        ProductChoice.Rule.Use();
        run.Dispose();
    }

    private SeenEvents Train(string name, int stopAfter = -1, params ReadOnlySpan<string> more)
    {
        var seen = new SeenEvents(stopAfter);
        var config = TrainConfig.Load(run.Config, [$"output_dir={run.Out(name)}", "bf16=true", "max_steps=4", .. more]);
        SupervisedFineTune.Run(config, [seen], seen.Stop);
        return seen;
    }

    private string StateFile(string name) => run.Out($"{name}/checkpoint-2/{SavedCheckpoint.StateFile}");

    private JsonObject State(string name) => JsonNode.Parse(File.ReadAllText(StateFile(name)))!.AsObject();

    private string Adapter(string name) => run.Out($"{name}/adapter_model.safetensors");
}
