using System.Text.Json;
using Fovea.Extensions.AI;
using Microsoft.Extensions.AI;

namespace Fovea.Tests.Unit.ExtensionsAI;

/// <summary>Text, thoughts and calls in what a model writes, however it is cut into pieces.</summary>
public sealed class AnswerReaderTests
{
    private const string Weather = "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Oslo\", \"days\": 2}}\n</tool_call>";

    private const string Tagged =
        "<tool_call>\n<function=weather>\n<parameter=city>\n12\n</parameter>\n<parameter=days>\n2\n</parameter>\n</function>\n</tool_call>";

    private static readonly Dictionary<string, AIFunctionDeclaration> Tools = new()
    {
        ["weather"] = AIFunctionFactory.Create((string city, int days) => $"{city} {days}", "weather"),
    };

    [Theory]
    [InlineData("Hello <b> world\n", "text:Hello <b> world\n")]
    [InlineData("<think>\nA cat?\n</think>\n\nA cat.", "thought:\nA cat?\n|text:A cat.")]
    [InlineData("<think>never ends", "thought:never ends")]
    [InlineData("<thin", "text:<thin")]
    [InlineData("I look.\n" + Weather, "text:I look.|call:weather{\"city\":\"Oslo\",\"days\":2}")]
    [InlineData(Weather + "\n" + Weather, "call:weather{\"city\":\"Oslo\",\"days\":2}|call:weather{\"city\":\"Oslo\",\"days\":2}")]
    [InlineData("<think>x</think>" + Weather, "thought:x|call:weather{\"city\":\"Oslo\",\"days\":2}")]
    [InlineData(Tagged, "call:weather{\"city\":\"12\",\"days\":2}")]
    [InlineData("<tool_call>{\"name\": \"weather\", \"arguments\": \"{\\\"days\\\": 1}\"}</tool_call>", "call:weather{\"days\":1}")]
    [InlineData("<tool_call>{\"name\": \"weather\"}</tool_call>", "call:weather{}")]
    [InlineData("<tool_call>{\"name\": 3}</tool_call> so", "text:<tool_call>{\"name\": 3}</tool_call> so")]
    [InlineData("<tool_call>[1]</tool_call>", "text:<tool_call>[1]</tool_call>")]
    [InlineData("<tool_call>{\"name\": \"weather\", \"argu", "text:<tool_call>{\"name\": \"weather\", \"argu")]
    [InlineData("a <tool_ b <", "text:a <tool_ b <")]
    public void An_answer_is_divided_in_the_same_way_however_it_comes(string answer, string expected)
    {
        for (var size = 1; size <= answer.Length; size += size < 12 ? 1 : 13)
        {
            var reader = new AnswerReader(Tools, oneCall: false);
            var contents = answer.Chunk(size).SelectMany(piece => reader.Read(new string(piece))).ToList();
            Assert.Equal(expected, Describe([.. contents, .. reader.End()]));
        }
    }

    [Fact]
    public void Without_tools_nothing_is_a_call()
    {
        var reader = new AnswerReader(new Dictionary<string, AIFunctionDeclaration>(), oneCall: false);
        List<AIContent> contents = [.. reader.Read(Weather), .. reader.End()];
        Assert.Equal("text:" + Weather, Describe(contents));
    }

    [Fact]
    public void Calls_after_the_first_are_left_out_where_one_is_allowed()
    {
        var reader = new AnswerReader(Tools, oneCall: true);
        List<AIContent> contents = [.. reader.Read(Weather + Weather), .. reader.End()];
        Assert.IsType<FunctionCallContent>(Assert.Single(contents));
    }

    [Fact]
    public void What_needs_not_be_held_back_is_told_at_once()
    {
        var reader = new AnswerReader(Tools, oneCall: false);
        Assert.Equal("text:A cat", Describe([.. reader.Read("A cat <to")]));
        Assert.Equal("text: <to and", Describe([.. reader.Read(" and")]));
    }

    private static string Describe(List<AIContent> contents)
    {
        var parts = new List<(string Kind, string Text)>();
        foreach (var content in contents)
        {
            var part = content switch
            {
                TextContent text => ("text", text.Text),
                TextReasoningContent thought => ("thought", thought.Text),
                FunctionCallContent call => ("call", call.Name + JsonSerializer.Serialize(call.Arguments)),
                _ => (content.GetType().Name, string.Empty),
            };
            if (part.Item1 != "call" && parts is [.., var last] && last.Kind == part.Item1)
            {
                parts[^1] = (last.Kind, last.Text + part.Item2);
            }
            else
            {
                parts.Add(part);
            }
        }

        return string.Join('|', parts.Select(part => $"{part.Kind}:{part.Text}"));
    }
}
