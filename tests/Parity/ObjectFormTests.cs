using Fovea.Data.Datasets;
using Fovea.Models;
using Fovea.Tests.Parity.MiniMindV;
using Fovea.Training.Config;
using Fovea.Training.Session;

namespace Fovea.Tests.Parity;

/// <summary>The coordinates and the form in which each family's samples hold boxes.</summary>
public sealed class ObjectFormTests
{
    private static readonly Conversation Row = new(
    [
        Message.User(Image.FromFile(TestFiles.Golden("qwen2_5_vl_tiny/data/images/001_0.png")), "Where is ", new ObjectName("it"), "?"),
        Message.Assistant(new ObjectBox(0.1, 0.25, 0.2, 0.75) { Unit = CoordinateUnit.Shares }),
    ]);

    [Theory]
    [InlineData("qwen2_vl/model", "<|object_ref_start|>it<|object_ref_end|>", "<|box_start|>(100,250),(200,750)<|box_end|>")]
    [InlineData("qwen3_vl/model", "<|object_ref_start|>it<|object_ref_end|>", "<|box_start|>(100,250),(200,750)<|box_end|>")]
    [InlineData("minicpm_v26/model", "<ref>it</ref>", "<box>100 250 200 750</box>")]
    public void Thousandths_are_written_between_the_model_s_own_marks(string model, string name, string box)
    {
        var setup = Setup(TestFiles.Golden(model));
        var sample = setup.NewEncoder().Encode(Row);
        var text = setup.Tokenizer.Decode(sample.Ids);
        Assert.Contains($"Where is {name}?", text);
        Assert.Contains(box, text);
        Assert.Equal([100, 250, 200, 750], Assert.Single(sample.Places).Numbers);
    }

    [Fact]
    public void Pixels_are_those_of_the_image_as_the_model_s_patches_cover_it()
    {
        var setup = Setup(TestFiles.Golden("qwen2_5_vl_tiny/model"));
        var sample = setup.NewEncoder().Encode(Row);
        var (grid, place) = (sample.Images[0].Grid, Assert.Single(sample.Places));
        Assert.Equal((grid.W * 14, grid.H * 14), (place.Frame.ModelWidth, place.Frame.ModelHeight));
        double[] sides = [0.1 * 14 * grid.W, 0.25 * 14 * grid.H, 0.2 * 14 * grid.W, 0.75 * 14 * grid.H];
        Assert.Equal(sides.Select(side => (long)Math.Round(side)), place.Numbers);
    }

    [Fact]
    public void A_family_without_a_published_form_is_refused_by_name()
    {
        using var folder = new MiniMindFolder("c", "dense");
        var error = Assert.Throws<BadSampleException>(() => Setup(folder.Path).NewEncoder().Encode(Row));
        Assert.Contains("has names or places of objects, and MiniMind-V has no published form for them", error.Sample.Reason);
    }

    private static DataSetup Setup(string model) =>
        DataSetup.From(TrainConfig.Parse($"model_name_or_path: {model}\ndataset: none\nstage: sft\n", "c.yaml", [], ConfigUse.Data), ModelSource.Open(model));
}
