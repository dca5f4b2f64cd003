using Fovea.Data.Tokenizers;
using Fovea.Generation.Constraints;

namespace Fovea.Tests.Unit.Generation;

/// <summary>Constraints that are made while others wait for them, and those that mean harm.</summary>
public sealed class ConstraintCompilerTests : IDisposable
{
    private readonly ConstraintCompiler compiler = new(Tokenizer.Load(TestFiles.Golden("qwen2_5_vl_tiny/model")));
    private readonly ManualResetEventSlim gate = new(initialState: true);
    private int begun;

    public ConstraintCompilerTests() => compiler.Begun = _ =>
    {
        Interlocked.Increment(ref begun);
        gate.Wait();
    };

    [Fact]
    public async Task What_several_ask_for_is_made_once_and_kept()
    {
        gate.Reset();
        var asked = Enumerable.Range(0, 8).Select(i => compiler.Prepare(Constraint.Regex(new string('a', 3)), default)).ToList();
        Assert.DoesNotContain(asked, task => task.IsCompleted);
        gate.Set();
        var made = await Task.WhenAll(asked);
        Assert.All(made, one => Assert.Same(made[0], one));
        Assert.Same(made[0], compiler.Compile(Constraint.Regex("aaa")));
        Assert.Equal(1, begun);

        // What is wrong once is wrong again.
        for (var i = 0; i < 2; i++)
        {
            await Assert.ThrowsAsync<ConfigException>(() => compiler.Prepare(Constraint.Regex("(a"), default));
        }

        Assert.Equal(2, begun);
        for (var i = 0; i < 40; i++)
        {
            compiler.Compile(Constraint.Regex($"b{{{i + 1}}}"));
        }

        compiler.Compile(Constraint.Regex("b{40}"));
        Assert.Equal(42, begun);
        compiler.Compile(Constraint.Regex("aaa")); // used last longest ago
        Assert.Equal(43, begun);
    }

    [Fact]
    public async Task Whoever_goes_away_leaves_the_others_waiting_and_the_last_ends_the_work()
    {
        gate.Reset();
        var constraint = Constraint.JsonSchema("""{"type": "string", "maxLength": 5000}""");
        using var first = new CancellationTokenSource();
        using var second = new CancellationTokenSource();
        var (one, two) = (compiler.Prepare(constraint, first.Token), compiler.Prepare(constraint, second.Token));
        await first.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => one);
        Assert.False(two.IsCompleted);
        await second.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => two);
        var again = compiler.Prepare(constraint, default);
        gate.Set();
        Assert.NotNull(await again);
        Assert.Same(await again, compiler.Compile(constraint));
    }

    [Fact]
    public void A_constraint_that_is_nested_without_end_is_refused_and_ends_nothing_else()
    {
        var times = string.Concat(Enumerable.Repeat("{1}", 60_000));
        Assert.Contains("nested too deep", Refused(Constraint.Regex($"a{times}"))!.Message, StringComparison.Ordinal);

        // Whether these fit depends on the stack of the thread.
        const string next = "\"$ref\": \"#/$defs/a{0}\"";
        foreach (var link in new[] { $"{next}, \"type\": \"object\"", $"\"anyOf\": [{{{{{next}}}}}, {{{{\"type\": \"null\"}}}}]" })
        {
            var links = Enumerable.Range(0, 3000).Select(i => $"\"a{i}\": {{{string.Format(link, i + 1)}}}");
            var error = Refused(Constraint.JsonSchema($"{{\"$ref\": \"#/$defs/a0\", \"$defs\": {{{string.Join(", ", links)}, \"a3000\": {{}}}}}}"));
            Assert.True(error is null || error.Message.Contains("nested too deep", StringComparison.Ordinal), error?.Message);
        }
    }

    [Fact]
    public void So_many_branches_are_not_compared()
    {
        var branches = string.Join(", ", Enumerable.Range(0, 1001).Select(i => $"{{\"const\": {i}}}"));
        Assert.Contains("1001 branches", Refused(Constraint.JsonSchema($"{{\"oneOf\": [{branches}]}}"))!.Message, StringComparison.Ordinal);
        Assert.Null(Refused(Constraint.JsonSchema($"{{\"anyOf\": [{branches}]}}")));
    }

    public void Dispose()
    {
        gate.Set();
        gate.Dispose();
    }

    private ConfigException? Refused(Constraint constraint) => (ConfigException?)Record.Exception(() => compiler.Compile(constraint));
}
