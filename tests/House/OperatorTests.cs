using System.Reflection;
using System.Text.RegularExpressions;

namespace Fovea.Tests.House;

/// <summary>Every operator that the code names exists in the libtorch at hand.</summary>
public sealed partial class OperatorTests : NativeTest
{
    [Fact]
    public void Every_operator_resolves()
    {
        var operators = Directory.GetFiles(AppContext.BaseDirectory, "*.dll")
            .Where(file => Path.GetFileName(file) is var name && (name.StartsWith("Fovea.", StringComparison.OrdinalIgnoreCase) && name != "Fovea.Tests.dll"))
            .SelectMany(file => Assembly.Load(AssemblyName.GetAssemblyName(file)).GetTypes())
            .Where(type => !type.ContainsGenericParameters)
            .SelectMany(type => type.GetFields(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic))
            .Where(field => field.FieldType == typeof(Operator))
            .Select(field => (Operator)field.GetValue(null)!)
            .ToList();
        Assert.Equal(SourceTree.Find(SourceTree.Programs, StaticOperator()).Count, operators.Count);
        var missing = new List<string>();
        foreach (var op in operators)
        {
            try
            {
                Assert.NotEqual(0, op.Handle);
            }
            catch (TorchException e)
            {
                missing.Add($"{op}: {e.Message}");
            }
        }

        Assert.Empty(missing);
        Assert.True(operators.Count > 50, $"only {operators.Count} operators found");
    }

    [Fact]
    public void Operators_are_static_so_that_they_can_be_found() =>
        Assert.Equal(SourceTree.Find(SourceTree.Programs, StaticOperator()), SourceTree.Find(SourceTree.Programs, AnyOperator()));

    [GeneratedRegex(@"static readonly Operator \w+ = new\(", RegexOptions.CultureInvariant)]
    private static partial Regex StaticOperator();

    [GeneratedRegex(@"\bOperator \w+ = |new Operator\(", RegexOptions.CultureInvariant)]
    private static partial Regex AnyOperator();
}
