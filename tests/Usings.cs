global using Fovea.Tensors;
global using Xunit;
