using System.Text;
using Fovea.Data.Objects;
using Fovea.Evaluation.Objects;
using Fovea.Evaluation.Report;

namespace Fovea.Tests.Unit.Evaluation;

/// <summary>Boxes and points in answers: read in every form, paired with the expected ones, scored and drawn.</summary>
public sealed class ObjectScoreTests
{
    [Theory]
    [InlineData("[10, 20, 30, 40]", "10 20 30 40")]
    [InlineData("```json\n[\n\t{\"bbox_2d\": [10, 20, 30, 40], \"label\": \"a\"},\n\t{\"bbox_2d\": [1, 2, 3, 4]}\n]\n```", "10 20 30 40;1 2 3 4")]
    [InlineData("```json\n[{\"bbox_2d\": [10, 20, 30, 40], \"label\": \"a\"}, {\"bbox_2d\": [1, 2, 3", "10 20 30 40")]
    [InlineData("[{\"point_2d\": [7, 8], \"label\": \"tip\"}]", "7 8")]
    [InlineData("<|object_ref_start|>a<|object_ref_end|><|box_start|>(10,20),(30,40)<|box_end|><|box_start|>(1,2)<|box_end|>", "10 20 30 40;1 2")]
    [InlineData("a(10,20),(30,40)(1,2)(3,4)", "10 20 30 40;1 2;3 4")]
    [InlineData("<ref>a</ref><box>10 20 30 40</box> and <point>5 6</point>", "10 20 30 40;5 6")]
    [InlineData("<box>(10,20),(30,40)</box>", "10 20 30 40")]
    [InlineData("<box>[[10, 20, 30, 40]]</box>", "10 20 30 40")]
    [InlineData("a 10 20 30 40", "10 20 30 40")]
    [InlineData("10, 20, 30.5, 40", "10 20 30.5 40")]
    [InlineData("120 340", "120 340")]
    [InlineData("<think>Perhaps [1, 2, 3, 4]?</think>\n[10, 20, 30, 40]", "10 20 30 40")]
    [InlineData("In 2024 there were 3 of 10 dogs.", "")]
    [InlineData("click(start_box='<|box_start|>(246,113)<|box_end|>')", "246 113")]
    [InlineData("[-3, 0.25, 1e, 4]", "")]
    [InlineData("", "")]
    public void Places_are_read_in_every_form(string answer, string expected) =>
        Assert.Equal(expected, string.Join(';', PlaceReader.Read(answer).Select(numbers => FormattableString.Invariant($"{string.Join(' ', numbers)}"))));

    [Fact]
    public void The_pairs_have_the_largest_sum()
    {
        // Taking the best pair first would give 0.9 + 0.1.
        Assert.Equal([1, 0], BestPairs.Of(new[,] { { 0.9, 0.8 }, { 0.7, 0.1 } }));
        Assert.Equal([-1, 0, 1], BestPairs.Of(new[,] { { 0.1, 0.1 }, { 0.5, 0.2 }, { 0.2, 0.6 } }));
        Assert.Equal([2, -1], BestPairs.Of(new[,] { { 0, 0.1, 0.2 }, { 0, 0, 0 } }));
        Assert.Equal([-1, -1], BestPairs.Of(new double[2, 0]));
        var random = new NumpyRandom(3);
        for (var n = 0; n < 60; n++)
        {
            var (rows, columns) = (1 + (n % 4), 1 + (n / 4 % 5));
            var values = random.Permutation(rows * columns);
            var weights = new double[rows, columns];
            for (var i = 0; i < values.Length; i++)
            {
                weights[i / columns, i % columns] = values[i];
            }

            var pairs = BestPairs.Of(weights);
            Assert.Equal(pairs.Count(j => j >= 0), pairs.Where(j => j >= 0).Distinct().Count());
            Assert.Equal(Largest(weights, 0, 0), pairs.Select((j, i) => j < 0 ? 0 : weights[i, j]).Sum());
        }
    }

    [Fact]
    public void Overlaps_are_measured_in_the_original_image_whatever_the_model_counts()
    {
        // 0 to 1000 over 400 x 200: the answer is the left half of the expected box.
        var frame = new ObjectFrame(400, 200, 1000, 1000);
        var score = ObjectScore.Of([Expected(new ObjectBox(40, 20, 120, 60), frame)], "[100, 100, 200, 300]");
        Assert.Equal(0.5, Assert.Single(score.Overlaps), 1e-12);
        Assert.Equal((1, 1), (score.Hits, score.AnsweredBoxes));
        Assert.Equal([false, true], [score.Marks[0].IsExpected && score.Marks[1].IsExpected, score.Marks[0].IsExpected]);
        Assert.Equal([0.1, 0.1, 0.2, 0.3], score.Marks[1].Shares.Select(share => Math.Round(share, 12)));

        // Pixels of an image that was brought to 392 x 196.
        var pixels = new ObjectFrame(400, 200, 392, 196);
        var same = ObjectScore.Of([Expected(new ObjectBox(100, 50, 300, 150), pixels)], "(98,49),(294,147)");
        Assert.Equal(1, Assert.Single(same.Overlaps), 1e-12);
    }

    [Fact]
    public void The_means_say_what_was_found_and_what_was_answered_in_vain()
    {
        var frame = new ObjectFrame(1000, 1000, 1000, 1000);
        var two = ObjectScore.Of(
            [Expected(new ObjectBox(0, 0, 100, 100), frame), Expected(new ObjectBox(500, 500, 600, 600), frame)],
            "[500, 500, 600, 600] [0, 0, 100, 40] [900, 900, 950, 950]");
        var none = ObjectScore.Of([Expected(new ObjectBox(0, 0, 10, 10), frame)], "I see none.");
        var click = ObjectScore.Of([Expected(new ObjectBox(0, 0, 10, 10), frame)], "(5,5)");
        var means = ObjectScores.Means([two, none, click]);
        Assert.Equal(["box_iou", "box_accuracy", "box_precision", "box_center"], means.Keys);
        Assert.Equal((35, 25, 75), (Math.Round(means["box_iou"], 9), means["box_accuracy"], means["box_center"]));
        Assert.Equal(100.0 / 3, means["box_precision"], 1e-12);

        var points = ObjectScore.Of(
            [Expected(new ObjectPoint(300, 400), frame), Expected(new ObjectPoint(0, 0), frame)], "[{\"point_2d\": [0, 0]}]");
        Assert.Equal([1, 0], points.Distances);
        Assert.Equal(50, ObjectScores.Means([points])[ObjectScores.PointDistance]);
        Assert.Equal(0.5, points.Goodness);
        Assert.Empty(ObjectScores.Means([]));
    }

    [Theory]
    [InlineData("<ref>cat</ref><box>1 2 3 4</box><box>5 6 7 8</box><ref> Dog </ref><box>9 9 9 9</box>", "cat!;cat!;Dog!")]
    [InlineData("<|object_ref_start|>a cat<|object_ref_end|> is at <|box_start|>(1,2),(3,4)<|box_end|>", "a cat!")]
    [InlineData("a cat(1,2),(3,4) the dog: (5,6),(7,8)(9,9),(9,9)", "a cat;the dog;the dog")]
    [InlineData("I see:\n\tcat [1, 2, 3, 4]", "cat")]
    [InlineData("[{\"bbox_2d\": [1, 2, 3, 4], \"label\": \"a \\\"b\\\"\"}, {\"label\": \"c\", \"bbox_2d\": [1, 2, 3, 4]}, {\"bbox_2d\": [1, 2, 3, 4]",
        "a \"b\"!;c!;?")]
    [InlineData("[1, 2, 3, 4]", "")]
    public void Labels_are_read_with_their_places(string answer, string expected)
    {
        var read = PlaceReader.ReadNamed(answer);
        if (expected.EndsWith('?'))
        {
            Assert.False(read[^1].IsMarked);
            (read, expected) = ([.. read.SkipLast(1)], expected[..^2]);
        }

        Assert.Equal(expected, string.Join(';', read.Select(place => place.Label + (place.IsMarked ? "!" : ""))));
    }

    [Theory]
    [InlineData("<ref>cup</ref><box>0 0 100 100</box><ref>CAT </ref><box>500 500 600 600</box>", 100, 100)]
    [InlineData("<ref>cat</ref><box>0 0 100 100</box><ref>cup</ref><box>500 500 600 600</box>", 0, 0)] // in each other's place
    [InlineData("<ref>cup</ref><box>0 0 100 40</box><ref>dog</ref><box>500 500 600 600</box>", 20, 0)]
    [InlineData("the cup(0,0),(100,100) scat(500,500),(600,600)", 50, 50)] // marks were stripped
    [InlineData("(0,0),(100,100)(500,500),(600,600)", 0, 0)]
    public void A_box_counts_under_its_label_alone(string answer, double overlap, double accuracy)
    {
        var frame = new ObjectFrame(1000, 1000, 1000, 1000);
        WrittenPlace[] places = [Expected(new ObjectBox(0, 0, 100, 100), frame), Expected(new ObjectBox(500, 500, 600, 600), frame)];
        var score = ObjectScore.Of(places, answer, "A <ref>cup</ref><box>0 0 100 100</box>, a <ref>cat</ref><box>500 500 600 600</box>");
        var means = ObjectScores.Means([score]);
        Assert.Equal((overlap, accuracy), (Math.Round(means["box_label_iou"], 9), means["box_label_accuracy"]));
        Assert.DoesNotContain("box_label_iou", ObjectScores.Means([ObjectScore.Of(places, answer, "<box>0 0 100 100</box><box>500 500 600 600</box>")]).Keys);
        Assert.DoesNotContain("box_label_iou", ObjectScores.Means([ObjectScore.Of(places, answer)]).Keys);
    }

    [Fact]
    public void An_answer_is_read_in_the_coordinates_of_the_image_that_is_expected()
    {
        var (first, second) = (new ObjectFrame(100, 100, 1000, 1000), new ObjectFrame(400, 200, 1000, 1000));
        var score = ObjectScore.Of(
            [
                Expected(new ObjectBox(40, 20, 80, 40) { ImageIndex = 1 }, second), Expected(new ObjectBox(50, 50, 90, 90), first),
            ],
            "[500, 500, 900, 900], [100, 100, 200, 200]");
        Assert.Equal([1, 1], score.Overlaps.Select(overlap => Math.Round(overlap, 12)));
        Assert.Equal([1, 0, 0, 1], score.Marks.Select(mark => mark.Image));
    }

    [Fact]
    public void Marks_are_drawn_in_the_picture_s_size_expected_ones_below()
    {
        var html = new StringBuilder();
        MarkSvg.Write(html, [new ObjectMark(0, false, [0.5, 0.5], "a <b>"), new ObjectMark(0, true, [0.1, 0.2, 0.6, 2], "e")], 160, 80);
        Assert.Equal(
            "<svg viewBox=\"0 0 160 80\"><rect class=\"wanted\" x=\"16\" y=\"16\" width=\"80\" height=\"64\"><title>e</title></rect>"
            + "<circle class=\"given\" cx=\"80\" cy=\"40\" r=\"4\"><title>a &lt;b&gt;</title></circle></svg>",
            html.ToString());
    }

    private static WrittenPlace Expected(ObjectPlace place, ObjectFrame frame) => new(place, frame, frame.ToModel(place), 1);

    private static double Largest(double[,] weights, int row, int used)
    {
        if (row == weights.GetLength(0))
        {
            return 0;
        }

        var best = Largest(weights, row + 1, used);
        for (var j = 0; j < weights.GetLength(1); j++)
        {
            if ((used & (1 << j)) == 0)
            {
                best = Math.Max(best, weights[row, j] + Largest(weights, row + 1, used | (1 << j)));
            }
        }

        return best;
    }
}
