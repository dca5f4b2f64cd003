using System.Text.Json;

namespace Fovea.Tests.Unit.Base;

public sealed class PythonJsonTests
{
    // Right-hand sides are what Python's repr prints.
    [Theory]
    [InlineData(0.0, "0.0")]
    [InlineData(3.0, "3.0")]
    [InlineData(-2.5, "-2.5")]
    [InlineData(0.0001, "0.0001")]
    [InlineData(0.00001, "1e-05")]
    [InlineData(4.761904761904762e-06, "4.761904761904762e-06")]
    [InlineData(123456789.0, "123456789.0")]
    [InlineData(46793134080.0, "46793134080.0")]
    [InlineData(1234567890123456.7, "1234567890123456.8")]
    [InlineData(1e15, "1000000000000000.0")]
    [InlineData(1e16, "1e+16")]
    [InlineData(1e23, "1e+23")]
    [InlineData(1.5e300, "1.5e+300")]
    [InlineData(-1e-7, "-1e-07")]
    [InlineData(0.1, "0.1")]
    [InlineData(11.849246978759766, "11.849246978759766")]
    [InlineData(double.NaN, "NaN")]
    [InlineData(double.NegativeInfinity, "-Infinity")]
    public void Floats_are_written_as_Python_writes_them(double value, string text) => Assert.Equal(text, PythonJson.Float(value));

    [Fact]
    public void A_line_keeps_the_order_and_escapes_what_is_not_ascii()
    {
        var empty = new Dictionary<string, object?>();
        var value = new Dictionary<string, object?> { ["b"] = 1, ["a"] = new List<object?> { null, true, "ä\"\n" }, ["c"] = empty };

        Assert.Equal("""{"b": 1, "a": [null, true, "\u00e4\"\n"], "c": {}}""", PythonJson.Line(value));
    }

    [Fact]
    public void Pretty_sorts_and_indents()
    {
        var value = new Dictionary<string, object?> { ["b"] = new List<object?> { 1, 2.0 }, ["a"] = new List<object?>(), ["B"] = "x" };

        Assert.Equal("{\n  \"B\": \"x\",\n  \"a\": [],\n  \"b\": [\n    1,\n    2.0\n  ]\n}", PythonJson.Pretty(value, 2));
    }

    [Fact]
    public void What_was_written_is_read_back_with_whole_numbers_and_floats_apart()
    {
        var text = "{\"i\": 3, \"f\": 3.0, \"nan\": NaN, \"inf\": [-Infinity, Infinity], \"s\": \"a NaN \\\" Infinity\", \"n\": null}";

        Assert.Equal(text, PythonJson.Line(PythonJson.ReadObject(text)));
        Assert.IsType<long>(PythonJson.ReadObject(text)["i"]);
        Assert.Throws<JsonException>(() => PythonJson.ReadObject("[1]"));
    }
}
