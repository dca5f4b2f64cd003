using System.Text.RegularExpressions;
using Fovea.Evaluation;
using Fovea.Evaluation.Report;

namespace Fovea.Tests.Unit.Evaluation;

public sealed partial class HtmlReportTests
{
    [Fact]
    public void Rows_come_worst_first_and_what_has_no_score_comes_last()
    {
        using var folder = new TempFolder();
        var html = Write(folder, Report([Row("good", 1), Row("unscored", null), Row("bad", 0), Row("half", 0.5), Row("worse", 0)]));
        Assert.Equal(["bad", "worse", "half", "good", "unscored"], RowId().Matches(html).Select(match => match.Groups[1].Value));
    }

    [Fact]
    public void Nothing_that_a_row_holds_becomes_markup()
    {
        using var folder = new TempFolder();
        const string evil = "</dd><script>alert('x')</script><img src=x onerror=\"alert(1)\">\u0001\u0085\ud800 & \"quoted\"";
        var row = new ReportRow
        {
            Id = evil,
            Turns = [new ReportTurn(evil, evil, evil) { Images = [MediaSource.FromBytes([1, 2, 3], evil)] }],
            Expected = evil,
            Note = evil,
            Score = 0,
            Scores = [new ReportMetric(evil, 1)],
            Groups = new Dictionary<string, string> { [evil] = evil },
        };
        var html = Write(folder, Report([row, row with { Groups = new Dictionary<string, string> { [evil] = "other" } }]) with
        {
            Title = evil,
            Subtitle = evil,
            Notes = [evil],
            Facts = [new ReportFact(evil, evil)],
            Metrics = [new ReportMetric(evil, 1)],
            Groups = [new GroupScore(evil, evil, 1, evil, 1)],
        });
        Assert.DoesNotContain("<script>alert", html, StringComparison.Ordinal);
        Assert.DoesNotContain("<img src=x", html, StringComparison.Ordinal);
        Assert.DoesNotContain("\"quoted\"", html, StringComparison.Ordinal);
        Assert.DoesNotContain(html, char.IsSurrogate);
        Assert.DoesNotContain(html, c => char.IsControl(c) && c is not '\n');
        Assert.Single(Script().Matches(html));
    }

    [Fact]
    public void The_file_needs_nothing_else()
    {
        using var folder = new TempFolder();
        var html = Write(folder, Report([Row("1", 0.3)]));
        Assert.DoesNotContain("http:", html, StringComparison.Ordinal);
        Assert.DoesNotContain("https:", html, StringComparison.Ordinal);
        Assert.DoesNotContain("<link", html, StringComparison.Ordinal);
        Assert.Contains("default-src 'none'", html, StringComparison.Ordinal);
        Assert.StartsWith("<!DOCTYPE html>", html, StringComparison.Ordinal);
    }

    [Fact]
    public void Text_of_any_language_is_kept_and_finds_its_own_direction()
    {
        using var folder = new TempFolder();
        var html = Write(folder, Report([new ReportRow { Id = "1", Turns = [new ReportTurn("ما لون القطة؟", "猫是黑色的。😀")], Expected = "שחור" }]));
        Assert.Contains("<dd dir=\"auto\">ما لون القطة؟</dd>", html, StringComparison.Ordinal);
        Assert.Contains("<dd dir=\"auto\">猫是黑色的。😀</dd>", html, StringComparison.Ordinal);
        Assert.Contains("<dd dir=\"auto\">שחור</dd>", html, StringComparison.Ordinal);
    }

    [Fact]
    public void What_does_not_fit_is_counted_in_the_file()
    {
        using var folder = new TempFolder();
        var picture = MediaSource.FromFile(TestFiles.Golden("images/decode/exif1.jpg"));
        var rows = Enumerable.Range(0, 30).Select(i => Row($"r{i}", i / 30.0, picture)).ToList();
        var html = Write(folder, Report(rows), new ReportLimits { PictureRows = 4, Rows = 20 });
        Assert.Equal(20, RowId().Count(html));
        Assert.Equal(4, Picture().Count(html));
        Assert.Equal(16, html.Split("<span class=\"file\" dir=\"auto\">exif1.jpg</span>").Length - 1);
        Assert.Contains("this file holds the 20 worst of 30 rows, and pictures are shown for the 4 worst rows", html, StringComparison.Ordinal);

        var whole = Write(folder, Report(rows));
        Assert.Equal(30, Picture().Count(whole));
        Assert.DoesNotContain("To stay small", whole, StringComparison.Ordinal);
    }

    [Fact]
    public void The_file_is_bounded_whatever_it_is_given()
    {
        using var folder = new TempFolder();
        var turn = new ReportTurn(new string('q', 90_000), new string('ش', 90_000));
        var rows = Enumerable.Range(0, 200).Select(i => new ReportRow { Id = $"{i}", Turns = [turn] }).ToList();
        var contents = HtmlReport.Write(folder["report.html"], Report(rows), new ReportLimits { Bytes = 1 << 20 });
        Assert.InRange(new FileInfo(folder["report.html"]).Length, 500_000, (1 << 20) + 40_000);
        Assert.InRange(contents.RowsShown, 40, 100);
        Assert.Contains("90\u2009000 characters in all", File.ReadAllText(folder["report.html"]), StringComparison.Ordinal);
    }

    [Fact]
    public void Turns_show_their_own_pictures_and_expectations()
    {
        using var folder = new TempFolder();
        var picture = MediaSource.FromFile(TestFiles.Golden("images/decode/exif1.jpg"));
        var row = new ReportRow
        {
            Id = "dialogue",
            Turns =
            [
                new ReportTurn("What is left?", "a cat", "a cat") { Images = [picture, picture] },
                new ReportTurn("And now?", null) { Images = [MediaSource.FromFile(folder["missing.png"])] },
            ],
            Note = "the picture is missing",
        };
        var html = Write(folder, Report([row]));
        Assert.Equal(2, Picture().Count(html));
        Assert.Contains("<dt>Question 2</dt>", html, StringComparison.Ordinal);
        Assert.Contains("missing.png<span>cannot be read: it is missing</span>", html, StringComparison.Ordinal);
        Assert.Contains("<dt>No answer</dt><dd dir=\"auto\">the picture is missing</dd>", html, StringComparison.Ordinal);
    }

    [Fact]
    public void Groups_become_filters_unless_there_are_too_many()
    {
        using var folder = new TempFolder();
        var rows = Enumerable.Range(0, 100).Select(i => Row($"{i}", i % 2) with
        {
            Groups = new Dictionary<string, string> { ["type"] = i % 3 == 0 ? "number" : "other", ["file"] = $"f{i}", ["split"] = "val" },
        });
        var html = Write(folder, Report([.. rows]));
        Assert.Contains(">All: type</option><option value=\"0\">number</option><option value=\"1\">other</option>", html, StringComparison.Ordinal);
        Assert.DoesNotContain("All: file", html, StringComparison.Ordinal);
        Assert.DoesNotContain("All: split", html, StringComparison.Ordinal);
        Assert.Contains("data-g=\" 0 \"", html, StringComparison.Ordinal);
    }

    private static string Write(TempFolder folder, AnswerReport report, ReportLimits? limits = null)
    {
        HtmlReport.Write(folder["report.html"], report, limits);
        return File.ReadAllText(folder["report.html"]);
    }

    private static AnswerReport Report(IReadOnlyList<ReportRow> rows) => new() { Title = "A report", Rows = rows };

    private static ReportRow Row(string id, double? score, params MediaSource[] images) =>
        new() { Id = id, Score = score, Turns = [new ReportTurn("What is it?", "a cat") { Images = images }], Expected = "a dog" };

    [GeneratedRegex("<span class=\"id\" dir=\"auto\">([^<]*)</span>")]
    private static partial Regex RowId();

    [GeneratedRegex("<img src=\"data:image/(?:png|jpeg);base64,")]
    private static partial Regex Picture();

    [GeneratedRegex("<script>")]
    private static partial Regex Script();
}
