using System.Diagnostics;
using System.Text.Json;

namespace Fovea.Tests.Unit.Generation;

/// <summary>Answers that satisfy JSON schemas.</summary>
public sealed class SchemaConstraintTests
{
    private static readonly ConstraintWalk[] Walks =
        [.. new[] { "qwen2_5_vl_tiny/model", "minicpm_v2/model", "minimind_c/tokenizer" }.Select(folder => new ConstraintWalk(TestFiles.Golden(folder)))];

    private static readonly JsonElement[] Cases =
        [.. JsonDocument.Parse(File.ReadAllText(TestFiles.Golden("sampling/schemas.json"))).RootElement.EnumerateArray()];

    public static TheoryData<int> Numbers => [.. Enumerable.Range(0, Cases.Length)];

    [Theory]
    [MemberData(nameof(Numbers))]
    public void Random_answers_satisfy_the_schema(int number)
    {
        var schema = Cases[number].GetProperty("schema");
        var validator = new SchemaValidator(schema);
        foreach (var walk in Walks)
        {
            var random = new Random(3);
            for (var i = 0; i < 12; i++)
            {
                var text = walk.Write(Constraint.JsonSchema(schema.GetRawText()), random);
                using var value = JsonDocument.Parse(text, new JsonDocumentOptions { MaxDepth = 4000 });
                Assert.True(validator.Holds(value.RootElement), $"{text} does not satisfy {schema}");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Numbers))]
    public void Known_texts_are_taken_however_they_are_cut_and_others_are_not(int number)
    {
        var constraint = Constraint.JsonSchema(Cases[number].GetProperty("schema").GetRawText());
        var random = new Random(4);
        foreach (var text in Texts("valid"))
        {
            Assert.True(ConstraintWalk.Takes(constraint, text), text);
            for (var i = 0; i < 5; i++)
            {
                Walks[i % 2].Read(constraint, text, random);
            }
        }

        Assert.All(Texts("invalid"), text => Assert.False(ConstraintWalk.Takes(constraint, text), text));

        IEnumerable<string> Texts(string key) => Cases[number].GetProperty(key).EnumerateArray().Select(text => text.GetString()!);
    }

    [Fact]
    public void Any_JSON_object_is_an_object_and_nothing_else()
    {
        var random = new Random(5);
        for (var i = 0; i < 30; i++)
        {
            using var value = JsonDocument.Parse(Walks[i % 3].Write(Constraint.JsonObject, random), new JsonDocumentOptions { MaxDepth = 4000 });
            Assert.Equal(JsonValueKind.Object, value.RootElement.ValueKind);
        }

        Assert.True(ConstraintWalk.Takes(Constraint.JsonObject, """{"a": [1, {"b": "\ud83d\ude01"}], "c": -0.5e-3}"""));
        Assert.False(ConstraintWalk.Takes(Constraint.JsonObject, "[1]"));
        Assert.False(ConstraintWalk.Takes(Constraint.JsonObject, """{"a": 1}} """));
    }

    [Theory]
    [InlineData("""{"type":"object","patternProperties":{"^a":{}}}""", "#: patternProperties")]
    [InlineData("""{"properties":{"a/b":{"not":{}}}}""", "#/properties/a~1b: not")]
    [InlineData("""{"type":"array","uniqueItems":true}""", "#: uniqueItems")]
    [InlineData("""{"type":"array","items":[{}]}""", "prefixItems")]
    [InlineData("""{"type":"integer","multipleOf":3}""", "multipleOf")]
    [InlineData("""{"type":"number","minimum":0.5}""", "minimum 0.5")]
    [InlineData("""{"if":{},"then":{}}""", "#: if")]
    [InlineData("""{"type":"objekt"}""", "objekt")]
    [InlineData("""{"propertees":{}}""", "propertees")]
    [InlineData("""{"$ref":"http://x/y"}""", "must point into this schema")]
    [InlineData("""{"$ref":"#/$defs/none"}""", "leads nowhere")]
    [InlineData("""{"$ref":"#"}""", "leads back")]
    [InlineData("""{"anyOf":[{"$ref":"#"},{"type":"null"}]}""", "leads back")]
    [InlineData("""{"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]}""", "no finite text")]
    [InlineData("""{"type":"string","format":"iri"}""", "format iri")]
    [InlineData("""{"type":"string","pattern":"a","maxLength":3}""", "pattern is not supported beside")]
    [InlineData("""{"type":"string","pattern":"(?=a)"}""", "#/pattern: (?=a): at character 2: lookaround")]
    [InlineData("""{"enum":["a","b"],"maxLength":3}""", "maxLength is not supported beside enum")]
    [InlineData("""{"oneOf":[{"type":"integer"},{"type":"number"}]}""", "oneOf may both hold")]
    [InlineData("""{"allOf":[{"properties":{"a":{}}},{"properties":{"b":{}},"additionalProperties":false}]}""", "is not supported beside #/allOf/0/properties")]
    [InlineData("""{"enum":[]}""", "no finite text")]
    [InlineData("""{"type":"integer","minimum":5,"maximum":3}""", "no finite text")]
    [InlineData("false", "no finite text")]
    [InlineData("""{"type":"string","minLength":-1}""", "minLength")]
    [InlineData("""{"type":"object",}""", "JSON schema")]
    [InlineData("5", "a schema is an object")]
    public void What_cannot_be_held_is_refused_by_name_and_place(string schema, string named) =>
        Assert.Contains(named, Assert.Throws<ConfigException>(() => ConstraintWalk.Takes(Constraint.JsonSchema(schema), "")).Message);

    [Fact]
    public void A_schema_of_fifty_properties_is_compiled_fast()
    {
        var properties = string.Join(',', Enumerable.Range(0, 50).Select(i =>
            $"\"property_{i}\":{{\"type\":\"{(i % 2 == 0 ? "string" : "integer")}\",\"minimum\":1,\"maximum\":900}}"));
        var best = TimeSpan.MaxValue;
        for (var i = 0; i < 6; i++)
        {
            var constraint = Constraint.JsonSchema($"{{\"type\":\"object\",\"title\":\"{i}\",\"properties\":{{{properties}}}}}");
            var start = Stopwatch.GetTimestamp();
            Walks[0].Compiler.Compile(constraint);
            best = Stopwatch.GetElapsedTime(start) is var time && time < best ? time : best;
        }

        Assert.InRange(best.TotalMilliseconds, 0, 50);
    }

    [Fact]
    public void A_published_vocabulary_is_masked_fast_and_its_answers_satisfy_the_schema()
    {
        const string schema = """
            {"type":"object","properties":{"title":{"type":"string","maxLength":30},
             "tags":{"type":"array","items":{"enum":["red","green","blue"]}},
             "box":{"type":"array","items":{"type":"integer","minimum":0,"maximum":1000},"minItems":4,"maxItems":4}},
             "required":["title","box"],"additionalProperties":false}
            """;
        var walk = new ConstraintWalk(TestFiles.Shared("data/tokenizers/qwen2_5") ?? TestFiles.SkipMissing("data/tokenizers/qwen2_5"));
        using var parsed = JsonDocument.Parse(schema);
        var validator = new SchemaValidator(parsed.RootElement);
        var random = new Random(8);
        for (var i = 0; i < 6; i++)
        {
            using var value = JsonDocument.Parse(walk.Write(Constraint.JsonSchema(schema), random));
            Assert.True(validator.Holds(value.RootElement));
        }

        var best = TimeSpan.MaxValue;
        for (var i = 0; i < 8; i++)
        {
            var session = walk.Compiler.Begin(Constraint.JsonSchema($$"""{"title":"{{i}}","type":"string"}"""));
            session.Accept(walk.Tokenizer.IdOf("\"")!.Value);
            var start = Stopwatch.GetTimestamp();
            session.Allowed();
            best = Stopwatch.GetElapsedTime(start) is var time && time < best ? time : best;
        }

        Assert.InRange(best.TotalMilliseconds, 0, 50);
    }
}
