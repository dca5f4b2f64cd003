using System.Text.Json;
using Fovea.Data.Templates.Jinja;
using Fovea.Tests.Parity;

namespace Fovea.Tests.Unit.Templates;

/// <summary>The evaluator of chat templates against jinja2 in the environment of Transformers (tests/goldens/chat_templates/make.py).</summary>
public sealed class JinjaTests
{
    private static readonly DateTime Now = new(2026, 1, 5, 14, 3, 9);
    private static readonly JsonElement Cases = Golden.Json(TestFiles.Golden("chat_templates/cases.json"));

    [Fact]
    public void Expressions_and_templates_by_chance_are_written_as_Python_writes_them()
    {
        var variables = Variables(Cases.GetProperty("variables"));
        var cases = Cases.GetProperty("fuzz").EnumerateArray().ToList();
        Assert.True(cases.Count > 1000, $"{cases.Count} cases");
        var (refused, written) = (0, 0);
        foreach (var (template, expected) in cases.Select(entry => (entry[0].GetString()!, entry[1].GetString())))
        {
            var text = Written(template, variables, out var problem);
            if (expected is not null && problem?.Contains("not supported", StringComparison.Ordinal) == true)
            {
                refused++;
                continue;
            }

            Assert.True(text == expected, $"{template}\nPython: {expected ?? "fails"}\nhere: {text ?? problem}");
            written += text is null ? 0 : 1;
        }

        Assert.True(written > 500, $"only {written} are written");
        Assert.True(refused <= 15, $"{refused} of {cases.Count} are refused");
    }

    [Fact]
    public void Whole_templates_write_what_Transformers_writes()
    {
        var conversations = Cases.GetProperty("conversations");
        var settings = Cases.GetProperty("settings");
        var texts = Cases.GetProperty("templates").EnumerateArray().ToDictionary(name => name.GetString()!, name => Text(name.GetString()!));
        Assert.True(texts.Count >= 8, $"{texts.Count} templates");
        var written = 0;
        foreach (var entry in Cases.GetProperty("renders").EnumerateArray())
        {
            var (name, conversation, setting, expected) = (entry[0].GetString()!, entry[1].GetString()!, entry[2].GetInt32(), entry[3].GetString());
            var variables = Variables(settings[setting]);
            variables["messages"] = Value(conversations.GetProperty(conversation));
            foreach (var (key, value) in Variables(Cases.GetProperty("tokens")))
            {
                variables[key] = value;
            }

            var text = Written(texts[name], variables, out var problem);
            Assert.True(text == expected, $"{name}, {conversation}, {setting}\nTransformers: {expected ?? "fails"}\nhere: {text ?? problem}");
            written += text is null ? 0 : 1;
        }

        Assert.True(written >= 120, $"only {written} are written");
    }

    [Theory]
    [InlineData("a\n{{ x | nope }}", "line 2: the filter 'nope' is not supported")]
    [InlineData("{% if x is nope %}{% endif %}", "line 1: the test 'nope' is not supported")]
    [InlineData("\n\n{% include 'a' %}", "line 3: the tag 'include' is not supported")]
    [InlineData("{% block a %}{% endblock %}", "line 1: the tag 'block' is not supported")]
    [InlineData("{% for a in b recursive %}{% endfor %}", "line 1: 'recursive' loops are not supported")]
    [InlineData("{% if a %}\n{{ b }}", "line 1: 'if' is not closed")]
    [InlineData("{% for a in b %}\n{% endif %}", "line 2: 'endif' stands where 'for' of line 1 must end")]
    [InlineData("{{ a", "line 1: '{{' is not closed")]
    [InlineData("{# a", "line 1: the comment is not closed")]
    [InlineData("{{ 'a }}", "line 1: a text in quotes is not closed")]
    [InlineData("{{ a b }}", "line 1: '}}' must stand where 'b' is")]
    [InlineData("{{ (a }}", "line 1: '}' closes nothing that is open")]
    [InlineData("{% endfor %}", "line 1: 'endfor' ends nothing that is open")]
    [InlineData("{% break %}", "line 1: 'break' stands outside of a loop")]
    [InlineData("{{ 99999999999999999999 }}", "line 1: a whole number has more than 64 bits")]
    public void What_is_wrong_or_not_supported_is_refused_by_line_when_it_is_read(string template, string problem) =>
        Assert.Equal(problem, Assert.Throws<TemplateException>(() => JinjaTemplate.Parse(template)).Message);

    [Theory]
    [InlineData("a\n{{ x.y }}", "line 2: 'x' is undefined")]
    [InlineData("{{ nope(1) }}", "line 1: 'nope' is undefined")]
    [InlineData("\n{{ [].append(1) }}", "line 2: 'append' is refused: templates must not change what they are given")]
    [InlineData("{{ {}.update({}) }}", "line 1: 'update' is refused: templates must not change what they are given")]
    [InlineData("{{ 'a'.center(9) }}", "line 1: the method 'center' of texts is not supported")]
    [InlineData("{{ cycler(1) }}", "line 1: the function 'cycler' is not supported")]
    [InlineData("{{ raise_exception('no ' ~ 'way') }}", "line 1: no way")]
    [InlineData("{{ 1 + 'a' }}", "line 1: '+' does not take values of the types 'int' and 'str'")]
    [InlineData("{{ 9223372036854775807 + 1 }}", "line 1: whole numbers of more than 64 bits are not supported")]
    public void What_does_not_fit_is_refused_by_line_when_it_is_carried_out(string template, string problem)
    {
        var e = Assert.Throws<TemplateException>(() => JinjaTemplate.Parse(template).Render(new Dictionary<string, object?>(), Now));
        Assert.Equal(problem, e.Message);
        Assert.Equal(problem.EndsWith("no way", StringComparison.Ordinal), e.Raised);
    }

    [Theory]
    [InlineData("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "nested or recursive")]
    [InlineData("{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}", "does not come to an end")]
    [InlineData("{% for a in range(1000000000) %}{% endfor %}", "a list of more than")]
    [InlineData("{{ 'a' * 1000000000 }}", "a text of more than")]
    [InlineData("{{ [0] * 1000000000 }}", "a list of more than")]
    [InlineData("{% set n = namespace(a='ab') %}{% for a in range(40) %}{% set n.a = n.a ~ n.a %}{% endfor %}", "a text of more than")]
    [InlineData("{% for a in range(90000) %}{{ 'abcdefgh' * 100 }}{% endfor %}", "writes more than")]
    [InlineData("{% set n = namespace(a=[]) %}{% for a in range(90000) %}{% set n.a = [n.a] %}{% endfor %}{{ n.a }}", "nested or recursive")]
    [InlineData("{% set n = namespace(a=[], b=[]) %}{% for a in range(900) %}{% set n.a = [n.a] %}{% set n.b = [n.b] %}{% endfor %}{{ n.a == n.b }}", "nested")]
    [InlineData("{% set n = namespace(a=[1]) %}{% for a in range(60) %}{% set n.a = [n.a, n.a] %}{% endfor %}{{ n.a|tojson }}", "come to an end|a text of")]
    [InlineData("{% set s = 'a' * 9000000 %}{% for a in range(100000) %}{{ '' if 'b' in s }}{% endfor %}", "does not come to an end")]
    [InlineData("{{ ('a ' * 4000000).split() | length }}", "a list of more than")]
    [InlineData("{{ 'a'.replace('', 'x' * 10000000) }}", "a text of more than")]
    public void A_template_neither_hangs_nor_breaks_the_process(string template, string problem)
    {
        var e = Assert.Throws<TemplateException>(() => JinjaTemplate.Parse(template).Render(new Dictionary<string, object?>(), Now));
        Assert.Contains(problem.Split('|'), part => e.Message.Contains(part, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("(", ")")]
    [InlineData("[", "]")]
    [InlineData("-", "")]
    [InlineData("not ", "")]
    [InlineData("a if a else ", "")]
    [InlineData("a(", ")")]
    public void Deeply_nested_expressions_are_refused(string open, string close)
    {
        var template = "{{ " + string.Concat(Enumerable.Repeat(open, 20_000)) + "a" + string.Concat(Enumerable.Repeat(close, 20_000)) + " }}";
        Assert.Contains("nested", Assert.Throws<TemplateException>(() => JinjaTemplate.Parse(template)).Message);
    }

    [Fact]
    public void Long_chains_and_nested_blocks_are_refused()
    {
        var chain = JinjaTemplate.Parse("{{ 1" + string.Concat(Enumerable.Repeat(" + 1", 50_000)) + " }}");
        Assert.Contains("nested", Assert.Throws<TemplateException>(() => chain.Render(new Dictionary<string, object?>(), Now)).Message);
        var blocks = string.Concat(Enumerable.Repeat("{% if a %}", 20_000));
        Assert.Contains("nested", Assert.Throws<TemplateException>(() => JinjaTemplate.Parse(blocks)).Message);
    }

    [Fact]
    public void Dates_are_written_as_strftime_does() => Assert.Equal(
        "05 Jan 2026 5/1/26 Monday Mon January 14:03:09 02 PM 005 2026-01-05 %",
        Written("{{ strftime_now('%d %b %Y %-d/%-m/%y %A %a %B %H:%M:%S %I %p %j %F %%') }}", [], out _));

    [Fact]
    public void Generation_blocks_say_where_they_stand()
    {
        var template = JinjaTemplate.Parse("a{% for x in [1, 2] %}<{% generation %}b{{ x }}{% endgeneration %}>{% endfor %}");
        var rendered = template.Render(new Dictionary<string, object?>(), Now);
        Assert.True(template.MarksGeneration);
        Assert.Equal("a<b1><b2>", rendered.Text);
        Assert.Equal([(2, 4), (6, 8)], rendered.Generated);
        Assert.False(JinjaTemplate.Parse("{{ 'generation' }}").MarksGeneration);
    }

    private static string Text(string name)
    {
        var path = TestFiles.Golden(name.EndsWith(".jinja", StringComparison.Ordinal) ? $"chat_templates/templates/{name}" : name);
        return name.EndsWith(".jinja", StringComparison.Ordinal) ? File.ReadAllText(path) : Golden.Json(path).GetProperty("chat_template").GetString()!;
    }

    private static string? Written(string template, Dictionary<string, object?> variables, out string? problem)
    {
        problem = null;
        try
        {
            return JinjaTemplate.Parse(template).Render(variables, Now).Text;
        }
        catch (TemplateException e)
        {
            problem = e.Message;
            return null;
        }
    }

    private static Dictionary<string, object?> Variables(JsonElement json) =>
        json.EnumerateObject().ToDictionary(value => value.Name, value => Value(value.Value));

    private static object? Value(JsonElement json) => json.ValueKind switch
    {
        JsonValueKind.Null => null,
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        JsonValueKind.String => json.GetString(),
        JsonValueKind.Number => json.GetRawText().Contains('.', StringComparison.Ordinal) ? json.GetDouble() : (object)json.GetInt64(),
        JsonValueKind.Array => new PyList([.. json.EnumerateArray().Select(Value)]),
        _ => json.EnumerateObject().Aggregate(new PyDict(), (dict, value) => dict.With(value.Name, Value(value.Value))),
    };
}
