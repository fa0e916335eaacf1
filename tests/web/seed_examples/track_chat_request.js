// Start tracking
const response = await fetch('/api/chat/track', {
  method: 'POST',
  body: JSON.stringify({
    prompt: 'Create an NFT contract',
    sessionId: 'session-123',
    category: 'nft',
    complexity: 'high'
  })
})

// Update on completion
await fetch('/api/chat/track', {
  method: 'PUT',
  body: JSON.stringify({
    requestId: 'req-123',
    status: 'completed',
    tokensUsed: 1500,
    cost: 3,
    duration: 2500,
    userRating: 5
  })
})
