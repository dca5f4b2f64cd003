using System.Text.RegularExpressions;

namespace Fovea.Tests.House;

/// <summary>A recipe reads top to bottom, and there is one training loop in the house.</summary>
public sealed partial class RecipeTests
{
    private const int MostLines = 150;

    private static readonly IReadOnlyList<KeyValuePair<string, string[]>> Recipes = [.. SourceTree.CSharp("src/Fovea.Training/Recipes/")];

    [Fact]
    public void Recipes_are_short()
    {
        Assert.NotEmpty(Recipes);
        Assert.All(Recipes, recipe => Assert.InRange(recipe.Value.Length, 1, MostLines));
    }

    [Fact]
    public void Recipes_say_nothing_of_ranks_or_sharding() => Assert.Empty(SourceTree.Find(Recipes, Distribution()));

    [Fact]
    public void Gradients_are_computed_and_exchanged_in_one_place()
    {
        var found = SourceTree.Find([.. SourceTree.CSharp("src/"), .. SourceTree.CSharp("bench/")], Training());
        Assert.Equal(
            ["src/Fovea.Training/Session/StepRunner.cs", "src/Fovea.Training/Session/TrainSession.cs"],
            found.Select(line => line.Split(':')[0]).Distinct().Order(StringComparer.Ordinal));
    }

    [GeneratedRegex(@"\b(?:[Rr]anks?|[Ss]hard\w*|Zero\w*|WorldSize|IsMain|Barrier|AllReduce)\b")]
    private static partial Regex Distribution();

    [GeneratedRegex(@"Autograd\.Backward\(|[Ss]trategy\.Finish\(")]
    private static partial Regex Training();
}
