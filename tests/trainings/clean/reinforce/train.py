"""REINFORCE with a moving baseline in a tiny corridor world; RMSprop."""

import hashlib

import torch
from env import Corridor
from torch import nn


class Agent:
    def __init__(self, observation_size, lr=1e-2, gamma=0.97):
        self.policy = nn.Sequential(nn.Linear(observation_size, 24), nn.Tanh(), nn.Linear(24, 2))
        self.optimizer = torch.optim.RMSprop(self.policy.parameters(), lr=lr, centered=True, momentum=0.5)
        self.gamma = gamma
        self.baseline = 0.0

    def play(self, env):
        log_probs, rewards, done = [], [], False
        observation = env.reset()
        while not done:
            choice = torch.distributions.Categorical(logits=self.policy(torch.tensor(observation)))
            action = choice.sample()
            log_probs.append(choice.log_prob(action))
            observation, reward, done = env.step(action.item())
            rewards.append(reward)
        return torch.stack(log_probs), rewards

    def learn(self, log_probs, rewards):
        returns, value = [], 0.0
        for reward in reversed(rewards):
            value = reward + self.gamma * value
            returns.insert(0, value)
        returns = torch.tensor(returns)
        loss = -(log_probs * (returns - self.baseline)).sum()
        self.baseline = 0.9 * self.baseline + 0.1 * returns.mean().item()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return sum(rewards)


torch.manual_seed(6)
torch.set_num_threads(1)
env = Corridor(seed=9)
agent = Agent(observation_size=7)
for episode in range(15):
    score = agent.learn(*agent.play(env))
    print(f"episode {episode:2d}  score {score:+.2f}  baseline {agent.baseline:+.3f}")
digest = hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in agent.policy.parameters()))
print("final", digest.hexdigest())
