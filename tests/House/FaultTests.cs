namespace Fovea.Tests.House;

/// <summary>libtorch brings UCX along, whose handlers would turn managed exceptions into aborts: they must not be there.</summary>
public sealed class FaultTests
{
    [Theory]
    [InlineData("UCX_HANDLE_ERRORS")]
    [InlineData("NOTHING_OF_THIS_NAME")]
    public void Null_references_and_divisions_by_zero_stay_exceptions_once_libtorch_is_loaded(string unset)
    {
        using var process = FoveaProcess.Start(["probe", "self-check"], unset);
        Assert.True(process.Wait() == 0, process.Errors);
        Assert.Equal(4, process.Output.Split("caught NullReferenceException").Length - 1);
        Assert.Equal(4, process.Output.Split("caught DivideByZeroException").Length - 1);
        Assert.Contains("libtorch computes: 0 1 2 3", process.Output);
        Assert.Empty(process.Errors);
    }
}
