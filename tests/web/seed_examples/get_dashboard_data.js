const dashboard = await fetch('/api/user/dashboard')
const data = await dashboard.json()

console.log('Total requests:', data.dashboard.metrics.totalRequests)
console.log('Monthly usage:', data.dashboard.limits.monthlyUsed)
console.log('Can make request:', data.dashboard.limits.canMakeRequest)
