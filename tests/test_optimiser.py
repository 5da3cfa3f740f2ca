"""Every optimiser moves every weight as its paper says; torch's AdamW and its singular values are the outside truth."""

import copy

import pytest
import torch
from torch import nn

from recognizer import layers
from recognizer.optimiser import EVEN, OPTIMISERS, Muon, adamw, muon, orthogonal

EVERY = pytest.mark.parametrize("name", OPTIMISERS)


def network(layer="blstm"):
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(5, 6), nn.LayerNorm(6), layers.LAYERS[layer](6, 4))


def learn(net, optimizer, steps, first=0):
    for step in range(first, first + steps):
        torch.manual_seed(step)
        frames, lengths = torch.randn(3, 7, 5), torch.tensor([7, 5, 2])
        optimizer.zero_grad()
        found, _ = net[2](net[1](net[0](frames)), lengths)
        (found - 0.5).square().sum().backward()
        optimizer.step()


@EVERY
@pytest.mark.parametrize("layer", layers.LAYERS)
def test_every_weight_is_in_one_group_and_moves(name, layer):
    net = network(layer)
    before = copy.deepcopy(net.state_dict())
    optimizer = OPTIMISERS[name](net, 0.01, 0.3)
    listed = [id(weight) for group in optimizer.param_groups for weight in group["params"]]
    assert sorted(listed) == sorted(map(id, net.parameters()))
    learn(net, optimizer, 2)
    assert [name for name, weight in net.named_parameters() if torch.equal(weight, before[name])] == []


@EVERY
def test_only_matrices_decay(name):
    net = network()
    decay = {
        id(w): group["weight_decay"] for group in OPTIMISERS[name](net, 0.1, 0.3).param_groups for w in group["params"]
    }
    assert {decay[id(weight)] for weight in net.parameters() if weight.dim() > 1} == {0.3}
    assert {decay[id(weight)] for weight in net.parameters() if weight.dim() <= 1} == {0.0}


@EVERY
def test_a_reloaded_optimiser_goes_on_bit_for_bit(name):
    one = network()
    optimizer = OPTIMISERS[name](one, 0.01, 0.1)
    learn(one, optimizer, 3)
    other = copy.deepcopy(one)
    reloaded = OPTIMISERS[name](other, 0.5, 0.0)
    reloaded.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    learn(one, optimizer, 3, 3)
    learn(other, reloaded, 3, 3)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@EVERY
def test_weights_without_gradients_stay(name):
    net = network()
    before = copy.deepcopy(net.state_dict())
    OPTIMISERS[name](net, 0.01, 0.5).step()
    assert all(torch.equal(weight, before[key]) for key, weight in net.state_dict().items())


@EVERY
def test_a_closure_is_asked_for_gradients_and_its_loss_comes_back(name):
    net = nn.Linear(3, 2)
    optimizer = OPTIMISERS[name](net, 0.01, 0.0)

    def closure():
        loss = net(torch.ones(1, 3)).sum()
        loss.backward()
        return loss

    before = net.weight.clone()
    assert optimizer.step(closure).requires_grad and not torch.equal(net.weight, before)


def test_without_recurrent_layers_muon_is_adamw():
    nets = [nn.Sequential(nn.Linear(5, 6), nn.LayerNorm(6)) for _ in OPTIMISERS]
    nets[1].load_state_dict(nets[0].state_dict())
    for net, make in zip(nets, (adamw, muon), strict=True):
        optimizer = make(net, 0.01, 0.1)
        for step in range(4):
            torch.manual_seed(step)
            optimizer.zero_grad()
            net(torch.randn(3, 5)).square().sum().backward()
            optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(*(net.parameters() for net in nets), strict=True))


@pytest.mark.parametrize("shape", [(1, 8, 8), (4, 16, 40), (3, 40, 16), (2, 1, 9)])
def test_the_orthogonal_matrix_is_near_that_of_the_singular_values(shape):
    torch.manual_seed(2)
    given = torch.randn(shape)
    u, _, v = torch.linalg.svd(given, full_matrices=False)
    found = orthogonal(given)
    values = torch.linalg.svdvals(found)
    assert values.min() > 0.5 and values.max() < 1.35
    assert (nn.functional.cosine_similarity((u @ v).flatten(1), found.flatten(1)) > 0.97).all()
    assert torch.allclose(orthogonal(given * 1000), found, atol=1e-3)


def test_no_gradient_is_no_step():
    assert torch.equal(orthogonal(torch.zeros(2, 3, 5)), torch.zeros(2, 3, 5))


def test_a_step_of_muon_is_as_large_as_one_of_adamw():
    weight = nn.Parameter(torch.randn(4 * 32, 48))
    before = weight.detach().clone()
    optimizer = Muon([{"params": [weight], "weight_decay": 0.0, "blocks": 4}], lr=0.1, betas=(0.9, 0.98))
    weight.grad = torch.randn_like(weight)
    optimizer.step()
    assert (weight.detach() - before).square().mean().sqrt() == pytest.approx(0.1 * EVEN, rel=0.25)


def test_gates_are_made_orthogonal_each_by_itself():
    torch.manual_seed(3)
    weight = nn.Parameter(torch.zeros(4 * 8, 8))
    optimizer = Muon([{"params": [weight], "weight_decay": 0.0, "blocks": 4}], lr=1.0, betas=(0.9, 0.98))
    weight.grad = torch.randn_like(weight) * torch.tensor([1.0, 10.0, 100.0, 1e-3]).repeat_interleave(8)[:, None]
    optimizer.step()
    sizes = weight.detach().unflatten(0, (4, 8)).norm(dim=(1, 2))
    assert sizes.max() / sizes.min() < 1.2
