using Fovea.Evaluation;
using Fovea.Training.Answers;

namespace Fovea.Tests.Unit.Predicting;

/// <summary>What predictions are made of: intervals, the log of answers, JSON as Python writes it.</summary>
public sealed class PredictingPartsTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("fovea-answers").FullName;

    // The values that R's prop.test(x, n, correct = FALSE) prints.
    [Theory]
    [InlineData(95, 100, 0.888250, 0.978461)]
    [InlineData(0, 10, 0, 0.277533)]
    [InlineData(10, 10, 0.722467, 1)]
    [InlineData(1, 2, 0.094531, 0.905469)]
    public void An_interval_is_Wilson_s(int right, int all, double low, double high)
    {
        var interval = WilsonInterval.Of(right, all);
        Assert.Equal(low, interval.Low, 1e-5);
        Assert.Equal(high, interval.High, 1e-5);
        Assert.Throws<ArgumentOutOfRangeException>(() => WilsonInterval.Of(all + 1, all));
    }

    [Fact]
    public void Text_that_is_not_escaped_is_as_Python_leaves_it()
    {
        var value = new Dictionary<string, object?> { ["a"] = "\"\\\n\t\u0001é谢\u2028😀\u007f", ["ü"] = 1.0 };
        Assert.Equal("{\"a\": \"\\\"\\\\\\n\\t\\u0001é谢\u2028😀\u007f\", \"ü\": 1.0}", PythonJson.TextLine(value));
        Assert.Equal("{\"a\": \"\\\"\\\\\\n\\t\\u0001\\u00e9\\u8c22\\u2028\\ud83d\\ude00\\u007f\", \"\\u00fc\": 1.0}", PythonJson.Line(value));
    }

    [Fact]
    public void Answers_are_kept_under_what_they_depend_on_and_one_of_each_row_counts()
    {
        RowAnswer[] answers = [new(2, "eins\n\u2028 zwei") { Seconds = 0.25 }, new(0, string.Empty), new(1, null, "no image")];
        using (var log = new AnswerLog(folder, 0, "a"))
        {
            log.Add(answers[0]);
            log.Add(answers[1]);
        }

        using (var log = new AnswerLog(folder, 1, "a"))
        {
            log.Add(answers[2]);
            log.Add(answers[0] with { Text = "later" });
        }

        Assert.Equal(answers, AnswerLog.Read(folder, "a"));
        Assert.Empty(AnswerLog.Read(folder, "b"));
        Assert.False(AnswerLog.IsWritten(folder, "a"));
        AnswerLog.MarkWritten(folder, "a");
        Assert.True(AnswerLog.IsWritten(folder, "a"));
        Assert.False(AnswerLog.IsWritten(folder, "b"));
        using (var log = new AnswerLog(folder, 0, "b"))
        {
            log.Add(answers[0]);
        }

        Assert.Equal([answers[0]], AnswerLog.Read(folder, "b"));
        AnswerLog.Clear(folder);
        Assert.Empty(AnswerLog.Read(folder, "b"));
        Assert.False(AnswerLog.IsWritten(folder, "a"));
    }

    [Fact]
    public void However_a_file_is_cut_whole_lines_count_and_the_next_begins_on_its_own()
    {
        RowAnswer[] answers = [new(0, "谢谢"), new(1, "é"), new(2, "x")];
        using (var log = new AnswerLog(folder, 0, "print"))
        {
            Array.ForEach(answers[..2], log.Add);
        }

        var path = Directory.GetFiles(folder).Single();
        var bytes = File.ReadAllBytes(path);
        for (var length = 0; length <= bytes.Length; length++)
        {
            File.WriteAllBytes(path, bytes[..length]);
            var kept = AnswerLog.Read(folder, "print");
            Assert.Equal(answers.Take(kept.Count), kept);
            Assert.Equal(Math.Max(0, bytes.AsSpan(0, length).Count((byte)'\n') - 1), kept.Count);
            using (var log = new AnswerLog(folder, 0, "print"))
            {
                log.Add(answers[2]);
            }

            Assert.Equal([.. kept, answers[2]], AnswerLog.Read(folder, "print"));
        }
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);
}
