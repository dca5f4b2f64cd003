using Fovea.Tests.Unit.Robustness;
using Fovea.Training.Config;
using Fovea.Training.Recipes;

namespace Fovea.Tests.Unit.Library;

/// <summary>Boxes and points as a program has them: in rows, in questions, and in answers.</summary>
public sealed class ObjectRowTests : NativeTest
{
    private static readonly string Picture = TestFiles.Golden("qwen2_5_vl_tiny/data/images/001_0.png");
    private readonly TinyRun run = new();

    [Fact]
    public async Task Rows_with_boxes_train_bitwise_the_same_from_a_file_and_from_code_and_otherwise_in_another_form()
    {
        run.Write("boxes.jsonl", string.Join('\n', Enumerable.Range(1, 4).Select(i =>
            $$"""{"instruction":"<image>Where?","output":"At <bbox>: <ref-object>.","images":["{{Picture}}"],"objects":"""
            + $$"""{"ref":["it"],"bbox":[[0.{{i}},0.2,0.9,1]],"bbox_type":"norm1"} }""")));
        Train("file");
        Train("json", "bbox_format=json");
        Train("thousand", "norm_bbox=norm1000");
        var rows = Enumerable.Range(1, 4).Select(i => new Conversation(
        [
            Message.User(Image.FromFile(Picture), "Where?"),
            Message.Assistant("At ", new ObjectBox(i / 10.0, 0.2, 0.9, 1) { Unit = CoordinateUnit.Shares }, ": ", new ObjectName("it"), "."),
        ]));
        await FineTune.FromFile(run.Config).On(rows).To(run.Out("code")).With(o => o.Schedule.MaxSteps = 2).RunAsync();
        Assert.Equal(run.Losses("file"), run.Losses("code"));
        Assert.Equal(run.Adapter("file"), run.Adapter("code"));
        Assert.NotEqual(run.Losses("file"), run.Losses("json"));
        Assert.NotEqual(run.Losses("file"), run.Losses("thousand"));
    }

    [Fact]
    public async Task A_question_may_hold_a_box_and_an_answer_is_read_back_in_pixels_of_the_image()
    {
        await using var model = await VisionModel.LoadAsync(TinyRun.Model, new() { Device = "cpu" });
        var image = Image.FromFile(Picture);
        var (width, height) = Fovea.Data.Images.ImageReader.ReadHeader(image.Source).Upright;
        var greedy = model.Generation with { DoSample = false, MaxNewTokens = 4 };
        var box = new ObjectBox(0, 0, width, height);
        var boxed = await model.AnswerAsync([Message.User(image, "What is at ", box, "?")], greedy);
        var seen = Assert.IsType<ObjectBox>(Assert.Single(model.PlacesIn("[0, 0, 28, 28]", image.Source)));
        var (right, bottom) = (28.0 * width / seen.Right, 28.0 * height / seen.Bottom);
        var written = FormattableString.Invariant($"What is at <|box_start|>(0,0),({right:0},{bottom:0})<|box_end|>?");
        var plain = await model.AnswerAsync([Message.User(image, written)], greedy);
        Assert.Equal(plain.Generation.Ids, boxed.Generation.Ids);
        Assert.Equal(plain.Generation.PromptTokens, boxed.Generation.PromptTokens);
        Assert.Equal(box, Assert.Single(model.PlacesIn(FormattableString.Invariant($"{{\"bbox_2d\": [0, 0, {right:0}, {bottom:0}]}}"), image.Source)));
        var error = await Assert.ThrowsAnyAsync<FoveaException>(() => model.AnswerAsync(
            [Message.User(image, "At ", new ObjectPoint(width * 2, 0), "?")], greedy));
        Assert.Contains("is outside its image", error.Message);
    }

    private void Train(string name, params string[] settings) => SupervisedFineTune.Run(TrainConfig.Load(
        run.Config, ["dataset=boxes.jsonl", $"dataset_dir={run.Folder}", $"output_dir={run.Out(name)}", "max_steps=2", .. settings]), []);
}
