using Fovea.Evaluation;

namespace Fovea.Tests.Evaluation;

public sealed class PythonRoundTests
{
    // As Python 3 prints them.
    [Theory]
    [InlineData(0.125, 2, 0.12)]
    [InlineData(0.375, 2, 0.38)]
    [InlineData(2.675, 2, 2.67)]
    [InlineData(2.5, 0, 2)]
    [InlineData(-0.125, 2, -0.12)]
    [InlineData(-2.5, 0, -2)]
    [InlineData(1.005, 2, 1.0)]
    [InlineData(66.66666666666667, 2, 66.67)]
    [InlineData(0.00005, 4, 0.0001)]
    public void The_nearest_decimal_and_the_even_one_of_two(double value, int digits, double expected) => Assert.Equal(expected, PythonRound.To(value, digits));
}
