using System.Globalization;
using Fovea.Data.Images;
using Fovea.Runs.Files;
using Spectre.Console;

namespace Fovea.Cli.Demo;

/// <summary>The demonstration's own lines between those of its two trainings.</summary>
internal sealed class DemoView(IAnsiConsole console)
{
    private const int Stages = 5;
    private const int ShownAnswers = 3;
    private const string SetupSeconds = "FOVEA_SETUP_SECONDS";

    public void Stage(int number, string what)
    {
        console.WriteLine();
        console.Write(new Spectre.Console.Text($"{number}/{Stages} {what}\n", new Style(Color.DodgerBlue1, decoration: Decoration.Bold)));
    }

    public void Drawn(string folder, DemoData data)
    {
        Line($"{data.Train.Count} for training, {data.HeldOut.Count} held out, in {folder}");
        Pictures(folder, [.. data.Train.DistinctBy(picture => picture.Shape)]);
    }

    public void Made(string folder, long weights, int vocabulary) =>
        Line(FormattableString.Invariant($"{weights / 1e6:0.00} million weights, {vocabulary} tokens, in {folder}"));

    public void Configuration(string path) => Line($"as {path} says (the same as: {StartedAs.Command} train {path})");

    public void Predicting(string path) => Line($"held-out pictures, as {StartedAs.Command} predict {path} asks about them");

    public void Asked(DemoTask task, double accuracy) => Line($"\"{task.Question}\" {Percent(accuracy)} right (chance {Percent(task.Chance)})");

    /// <summary>Accuracies, three answers, and where everything is.</summary>
    public void Result(DemoFolder folder, DemoResult result, TimeSpan elapsed)
    {
        console.WriteLine();
        Row("", "chance", "before", "after", "95 % interval");
        Row(DemoTask.Describe, result.DescribedBefore, result.Described);
        Row(DemoTask.Fruit, result.FruitBefore, result.Answers);
        console.WriteLine();
        var shown = Different(result.Answers);
        Pictures(folder.Data, [.. shown.Select(answer => answer.Picture)]);
        foreach (var answer in shown)
        {
            Line($"{Path.Combine(folder.Data, answer.Picture.File)}");
            Line($"  {DemoTask.Fruit.Question}  answer: {answer.Answer}  expected: {answer.Expected}");
        }

        console.WriteLine();
        Line($"answers      {Path.Combine(folder.Base, PredictionFiles.Report)} (pictures, answers and scores, worst first)");
        Line($"             {Path.Combine(folder.Adapter, PredictionFiles.Report)}");
        Line($"adapter      {folder.Adapter}");
        Line($"base model   {folder.Base}");
        Line($"logs         {Path.Combine(folder.Base, "trainer_log.jsonl")}");
        Line($"             {Path.Combine(folder.Adapter, "trainer_log.jsonl")}");
        Line($"loss curves  {Path.Combine(folder.Base, "training_loss.svg")} (and .png)");
        Line($"             {Path.Combine(folder.Adapter, "training_loss.svg")} (and .png)");
        Line($"time         {Times(elapsed)}");
        console.WriteLine();
        Line("Ask it yourself, for instance about the first picture:");
        var picture = Path.Combine(folder.Data, shown[0].Picture.File);
        Line($"  {StartedAs.Command} chat --model {folder.Base} --adapter {folder.Adapter} --image {picture} --prompt \"{DemoTask.Fruit.Question}\"");
    }

    /// <summary>Up to three answers about pictures that look different, right or wrong as they come.</summary>
    private static List<DemoAnswer> Different(IReadOnlyList<DemoAnswer> answers)
    {
        var shown = new List<DemoAnswer>();
        foreach (var answer in answers)
        {
            var alike = shown.Any(other => other.Picture.Shape == answer.Picture.Shape || other.Picture.Colour == answer.Picture.Colour);
            if (!alike && shown.Count < ShownAnswers)
            {
                shown.Add(answer);
            }
        }

        return shown;
    }

    private static string Times(TimeSpan elapsed)
    {
        var setup = double.TryParse(Environment.GetEnvironmentVariable(SetupSeconds), CultureInfo.InvariantCulture, out var seconds) && seconds > 0
            ? $"set-up {Clock(TimeSpan.FromSeconds(seconds))}, then "
            : string.Empty;
        return $"{setup}{Clock(elapsed)} for everything above";
    }

    private static string Clock(TimeSpan time) => FormattableString.Invariant($"{(int)time.TotalMinutes} min {time.Seconds} s");

    private static string Percent(double value) => FormattableString.Invariant($"{value:0.0} %");

    private void Row(DemoTask task, double before, IReadOnlyList<DemoAnswer> after)
    {
        var (low, high) = DemoExam.Interval(after);
        Row(
            task.Question, Percent(task.Chance), Percent(before), Percent(DemoExam.Accuracy(after)), FormattableString.Invariant($"{low:0.0} to {high:0.0} %"));
    }

    private void Row(string question, string chance, string before, string after, string interval) =>
        Line($"{question,-30}{chance,10}{before,10}{after,10}{interval,18}");

    private void Pictures(string folder, IReadOnlyList<DemoPicture> pictures)
    {
        var fit = Math.Min(Thumbnails.Fit(console), pictures.Count);
        if (fit > 0)
        {
            Thumbnails.Write(console, [.. pictures.Take(fit).Select(picture => ImageReader.Read(Path.Combine(folder, picture.File)))]);
        }
    }

    // Text of its own, so that nothing in it is read as markup and no path is broken across lines.
    private void Line(string text) => console.Profile.Out.Writer.WriteLine($"  {text}");
}
