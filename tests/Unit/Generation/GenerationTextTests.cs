using System.Reflection;
using Fovea.Generation;

namespace Fovea.Tests.Unit.Generation;

public sealed class GenerationTextTests
{
    private static readonly GenerationOptions Plain = new();

    public static TheoryData<string> Names => [.. typeof(GenerationOptions).GetProperties().Select(property => property.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_setting_is_among_those_that_answers_depend_on(string name)
    {
        var changed = Plain with { };
        var property = typeof(GenerationOptions).GetProperty(name, BindingFlags.Public | BindingFlags.Instance)!;
        property.SetValue(changed, property.GetValue(changed) switch
        {
            bool value => !value,
            int value => value + 1,
            double value => value + 0.125,
            IReadOnlyCollection<int> => (int[])[3],
            IReadOnlyCollection<string> => (string[])["a\nb"],
            IReadOnlyDictionary<int, double> => new Dictionary<int, double> { [3] = 1 },
            null when property.PropertyType == typeof(string) => "a",
            null when property.PropertyType == typeof(ulong?) => 7UL,
            null when property.PropertyType == typeof(Constraint) => Constraint.Regex("[a-c]+"),
            var other => throw new InvalidOperationException($"{name} is {other}: say here how to change it"),
        });
        var (before, after) = (GenerationText.Settings(Plain), GenerationText.Settings(changed));
        Assert.Equal(before.Keys, after.Keys);
        Assert.Single(before.Keys, key => before[key] != after[key]);
    }

    [Fact]
    public void Two_constraints_of_one_kind_are_told_apart() => Assert.NotEqual(
        GenerationText.Settings(Plain with { Constraint = Constraint.Regex("a") }), GenerationText.Settings(Plain with { Constraint = Constraint.Regex("b") }));

    [Fact]
    public void Rules_that_are_in_force_are_named()
    {
        Assert.Equal("greedy, at most 1024 new tokens", GenerationText.Words(Plain));
        Assert.Equal(
            "greedy, at most 8 new tokens, at least 2, repetition penalty 1.1, presence penalty 0.5, frequency penalty -0.5, no 3 tokens twice, "
                + "ends before \"x\"",
            GenerationText.Words(Plain with
            {
                MaxNewTokens = 8, MinNewTokens = 2, MinP = 0.1, RepetitionPenalty = 1.1, PresencePenalty = 0.5, FrequencyPenalty = -0.5, NoRepeatNgramSize = 3,
                StopStrings = ["x"],
            }));
        Assert.Equal(
            "drawn, temperature 0.7, top-p 0.9, top-k 20, min-p 0.1, seed 4, at most 1024 new tokens",
            GenerationText.Words(Plain with { DoSample = true, Temperature = 0.7, TopP = 0.9, TopK = 20, MinP = 0.1, Seed = 4 }));
    }
}
